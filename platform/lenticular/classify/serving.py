"""What a volunteer may see of a galaxy and its tree before having answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import prefetch_related_objects
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from lenticular.classify.templatetags.frontend import icon_address
from lenticular.subjects.selectors import image_urls, rendering_urls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lenticular.selection.models import Lease
    from lenticular.subjects.models import Subject
    from lenticular.workflows.models import WorkflowVersion
    from mlcore.tree import Answer, Question

UNNAMED = "main"
"""What a rendering is called to which its survey gave no name."""


def served_subjects(leases: Sequence[Lease]) -> list[dict[str, Any]]:
    """Return leased subjects as JSON values: no arm, tally, prediction or hidden metadata."""
    subjects = [lease.subject for lease in leases]
    prefetch_related_objects(subjects, "images")
    return [
        {
            "id": subject.pk,
            "external_id": subject.external_id,
            "images": image_urls(subject),
            "renderings": _named_renderings(subject),
            "metadata": subject.metadata,
            "expires_at": lease.expires_at.isoformat(),
        }
        for lease, subject in zip(leases, subjects, strict=True)
    ]


def _named_renderings(subject: Subject) -> list[dict[str, str]]:
    found = rendering_urls(subject)
    return [{**each, "name": _("main")} if each["name"] == UNNAMED else each for each in found]


def spoken_tree(version: WorkflowVersion) -> dict[str, Any]:
    """Return the version's tree in the language of the page, for the browser to walk."""
    tree, language = version.tree, get_language() or "en"
    return {
        "start": tree.start,
        "questions": {each.slug: _spoken_question(each, language) for each in tree.questions},
    }


def _spoken_question(question: Question, language: str) -> dict[str, Any]:
    return {
        "slug": question.slug,
        "text": question.text(language),
        "help": question.help_text(language),
        "answers": [_spoken_answer(answer, language) for answer in question.answers],
    }


def _spoken_answer(answer: Answer, language: str) -> dict[str, Any]:
    return {
        "slug": answer.slug,
        "text": answer.text(language),
        "next": answer.next,
        "icon": icon_address(answer.icon),
    }
