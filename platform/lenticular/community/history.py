"""A person's own galaxies: what was answered, and how the others voted since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import get_language

from lenticular.accounts.selectors import identities
from lenticular.classifications.models import Classification, Kind
from lenticular.classifications.selectors import classifications_of
from lenticular.community.models import Favourite
from lenticular.community.selectors import favourite_ids
from lenticular.consensus.company import Company, most_debated
from lenticular.consensus.models import Tally
from lenticular.subjects.selectors import image_urls
from lenticular.workflows.models import Workflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lenticular.accounts.models import Volunteer

OWN_KINDS = (Kind.VOTE, Kind.PRACTICE)


@dataclass(frozen=True)
class OthersAnswer:
    """One answer: how many others gave it, whether the reader did, its part of the bar (%)."""

    text: str
    votes: int
    is_own: bool
    start: float
    width: float


@dataclass(frozen=True)
class Others:
    """How the others answered the question on which they are the most divided."""

    question: str
    total: int
    agree: int
    answers: list[OthersAnswer]


@dataclass(frozen=True)
class Entry:
    """One galaxy of the history: own answers in words; `others` None where nobody else voted."""

    classification: Classification
    image: str
    answers: list[str]
    others: Others | None
    is_favourite: bool

    @property
    def is_practice(self) -> bool:
        """Whether the answers were given to practise, and count for nothing."""
        return self.classification.kind == Kind.PRACTICE


def own_classifications(
    *, volunteer: Volunteer, workflow: str = "", favourites: bool = False
) -> QuerySet[Classification]:
    """Return what the person has classified, newest first, each galaxy once per workflow.

    Parameters
    ----------
    volunteer
        Any identity of the person. Where two of them answered, the earlier answers are
        returned: those that count.
    workflow
        Only of the workflow with this slug; empty for all.
    favourites
        Only the person's favourites.
    """
    people = identities(volunteer)
    found = classifications_of(volunteer_ids=people).filter(kind__in=OWN_KINDS)
    if len(people) > 1:
        found = found.filter(~Exists(_earlier(people)))
    if workflow:
        found = found.filter(workflow__slug=workflow)
    if favourites:
        mine = Favourite.objects.filter(volunteer__in=people).values("subject")
        found = found.filter(subject__in=mine)
    return found.prefetch_related("subject__images")


def _earlier(people: Sequence[int]) -> QuerySet[Classification]:
    same = {name: OuterRef(name) for name in ("workflow", "subject", "kind")}
    return Classification.objects.filter(volunteer__in=people, pk__lt=OuterRef("pk"), **same)


def own_workflows(*, volunteer: Volunteer) -> QuerySet[Workflow]:
    """Return the workflows in which the person has classified."""
    mine = Classification.objects.filter(
        workflow=OuterRef("pk"), volunteer__in=identities(volunteer), kind__in=OWN_KINDS
    )
    return Workflow.objects.filter(Exists(mine)).order_by("name", "pk")


def entries(page: Sequence[Classification], *, volunteer: Volunteer) -> list[Entry]:
    """Return a page of `own_classifications` as it is shown: all of them are answered."""
    counts = _counts(page)
    liked = favourite_ids(volunteer=volunteer, subject_ids=[each.subject_id for each in page])
    return [
        Entry(
            classification=each,
            image=image_urls(each.subject).get("page", ""),
            answers=_answers(each),
            others=_others(each, counts.get((each.version_id, each.subject_id), {})),
            is_favourite=each.subject_id in liked,
        )
        for each in page
    ]


def _counts(page: Sequence[Classification]) -> dict[tuple[int, int], dict[str, int]]:
    """Return (version, subject) to counts, in one query."""
    wanted = Q(
        version__in={each.version_id for each in page},
        subject__in={each.subject_id for each in page},
    )
    rows = Tally.objects.filter(wanted).values_list("version", "subject", "counts")
    return {(version, subject): counts for version, subject, counts in rows}


def _answers(classification: Classification) -> list[str]:
    tree, language = classification.version.tree, get_language() or "en"
    return [
        tree.question(question).answer(answer).text(language)
        for question, answer in classification.annotations
    ]


def _others(classification: Classification, counts: dict[str, int]) -> Others | None:
    company = most_debated(classification, counts)
    return _spoken(classification, company) if company else None


def _spoken(classification: Classification, company: Company) -> Others:
    question = classification.version.tree.question(company.question)
    language = get_language() or "en"
    answers: list[OthersAnswer] = []
    start = 0.0
    for each in question.answers:
        votes = company.others[each.slug]
        width, is_own = 100 * votes / company.total, each.slug == company.answer
        answers.append(OthersAnswer(each.text(language), votes, is_own, start, width))
        start += width
    return Others(question.text(language), company.total, company.agree, answers)
