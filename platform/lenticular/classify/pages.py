"""What the classify page needs, for the server's walk and for the browser's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from lenticular.accounts.web import signed_name
from lenticular.classify.echoes import echo_of
from lenticular.classify.home import asking_now
from lenticular.classify.practice import feedback_of
from lenticular.classify.selectors import answered_by, votes_by
from lenticular.classify.serving import served_subjects, spoken_tree

if TYPE_CHECKING:
    from lenticular.accounts.models import Volunteer
    from lenticular.classify.walking import Walk
    from lenticular.selection.models import Lease
    from lenticular.workflows.models import Workflow


def classify_context(*, walk: Walk, lease: Lease, volunteer: Volunteer) -> dict[str, Any]:
    """Return the context of the classify page at the open question of `walk`."""
    workflow, subject = walk.version.workflow, served_subjects([lease])[0]
    language = get_language() or "en"
    tree = walk.version.tree
    question = walk.question
    return {
        "workflow": workflow,
        "walk": walk,
        "subject": subject,
        "question": question and question.text(language),
        "help": question and question.help_text(language),
        "answers": [
            {"slug": each.slug, "text": each.text(language), "icon": each.icon}
            for each in (question.answers if question else ())
        ],
        "crumbs": [tree.question(name).answer(slug).text(language) for name, slug in walk.steps],
        "page_data": page_data(walk, subject, volunteer),
        **told_last(workflow=workflow, volunteer=volunteer),
    }


def told_last(*, workflow: Workflow, volunteer: Volunteer) -> dict[str, Any]:
    """Return what to tell of the galaxy answered last: `feedback` on practice, or an `echo`."""
    latest = answered_by(volunteer=volunteer, workflow=workflow).first()
    feedback = feedback_of(latest) if latest else None
    echo = echo_of(latest) if latest and not feedback else None
    return {"feedback": feedback, "echo": echo}


def page_data(walk: Walk, subject: dict[str, Any], volunteer: Volunteer) -> dict[str, Any]:
    """Return what the browser needs to walk by itself, as JSON values."""
    workflow = walk.version.workflow
    return {
        "account": volunteer.user_id,
        "volunteer": signed_name(volunteer),
        "version": walk.version.pk,
        "tree": spoken_tree(walk.version),
        "subject": subject,
        "steps": [list(step) for step in walk.steps],
        "next": reverse("api-next", args=[workflow.slug]),
        "post": reverse("api-classifications"),
        "favourite": favourite_address(),
        "words": browser_words(),
    }


def favourite_address() -> str:
    """Return where a favourite is marked, with 0 for the subject; empty where nobody keeps them."""
    try:
        return reverse("api-favourite", args=[0])
    except NoReverseMatch:
        return ""


def browser_words() -> dict[str, str]:
    """Return the strings that only the browser says; {n} and {m} are filled in there."""
    return {
        "progress": _("Question {n} of about {m}"),
        "choose": _("Choose an answer first."),
        "saved": _("All sent"),
        "waiting": _("Saved here, {n} to send"),
        "offline": _("No connection. Your answers are saved on this device and will be sent."),
        "refused": _("One classification was not used: {why}. The others are safe."),
        "why-not-served": _("that galaxy had not been given to you"),
        "why-bad-annotations": _("its answers do not fit the questions"),
        "why-not-found": _("its galaxy or its questions are not there any more"),
        "why-other": _("it did not arrive whole"),
        "stale": _("Please reload this page to send your answers; they are saved on this device."),
        "lost": _("The next galaxy did not arrive. Nothing is lost; we try again."),
        "sent": _("Galaxy done. Here is the next one."),
        "undone": _("Here is the galaxy before, with your answers."),
        "elsewhere": _("Another tab has that galaxy. Here is the next one."),
        "skipped": _("Skipped. Here is another galaxy."),
        "picture": _("The picture did not arrive. Try it again, or skip this galaxy."),
        "already": _("You had answered a galaxy before; your first answers count."),
        "busy": _("The server is busy. Your answers are saved on this device and will be sent."),
        "foreign": _("You are signed out. Answers saved on this device, not sent yet: {n}."),
        "forgetful": _("This browser keeps nothing: leave this page open until all is sent."),
        "heart": _("The favourite was not kept. Please try again later."),
        "review": _("Send these answers?"),
        "send": _("Send"),
        "frame": _("Picture of the galaxy: arrow keys move it once it is enlarged"),
        "view": _("Enlarged to {zoom} %, turned by {turn} degrees."),
        "inverted": _("Inverted."),
        "compared": _("You said “{yours}”, an expert “{expert}”."),
    }


def asking_in_words(workflow: Workflow) -> dict[str, Any] | None:
    """Return the pictures that the machine asks about, and its doubt; None where it has none."""
    asking, version = asking_now(workflow), workflow.current_version
    if asking is None or version is None or not asking.pictures:
        return None
    doubt = asking.question and version.tree.question(asking.question)
    return {
        "pictures": asking.pictures,
        "question": doubt.text(get_language() or "en") if doubt else "",
    }


def done_context(*, workflow: Workflow, volunteer: Volunteer | None) -> dict[str, Any]:
    """Return the context of the page for a volunteer for whom nothing is left."""
    if volunteer is None:
        return {"workflow": workflow, "done": 0}
    return {
        "workflow": workflow,
        "done": votes_by(volunteer=volunteer, workflow=workflow).count(),
        **told_last(workflow=workflow, volunteer=volunteer),
    }
