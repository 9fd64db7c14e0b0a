"""The line that a volunteer reads once a galaxy is answered: what the others, and the machine, saw.

Never built for a subject that the reader has not classified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from lenticular.consensus.company import most_debated
from lenticular.consensus.selectors import tally_of
from lenticular.selection.selectors import entry_of

if TYPE_CHECKING:
    from lenticular.classifications.models import Classification
    from lenticular.consensus.models import Tally
    from mlcore.tree import DecisionTree


@dataclass(frozen=True)
class Echo:
    """The line, and the address of the galaxy's page."""

    text: str
    url: str


def echo_of(classification: Classification, tally: Tally | None = None) -> Echo:
    """Return the line for a classification that its volunteer has just made.

    `tally` is the subject's, this vote counted; None has it looked up.
    """
    tally = tally or tally_of(version=classification.version, subject_id=classification.subject_id)
    parts = [_people(classification, tally), _machine(classification)]
    url = reverse("galaxy", args=[classification.subject_id])
    return Echo(text=" ".join(part for part in parts if part), url=url)


def _people(classification: Classification, tally: Tally | None) -> str:
    company = most_debated(classification, tally.counts if tally else {})
    if company is None:
        return _("You are the first to look at this galaxy.")
    answer = _spoken(classification.version.tree, company.question, company.answer)
    if company.agree == 0:
        words = _("“%(answer)s”: nobody else has said so yet. That is how rare galaxies are found.")
        return words % {"answer": answer}
    words = ngettext(
        "“%(answer)s”: %(agree)s of %(others)s other person agrees with you.",
        "“%(answer)s”: %(agree)s of %(others)s other people agree with you.",
        company.total,
    )
    return words % {"answer": answer, "agree": company.agree, "others": company.total}


def _machine(classification: Classification) -> str:
    """Say what the machine had expected of the first question, where it had a say."""
    entry = entry_of(workflow=classification.workflow, subject_id=classification.subject_id)
    question, _underscore, answer = (entry.top_answer if entry else "").partition("_")
    given = dict(classification.annotations).get(question)
    if given is None:
        return ""
    if given == answer:
        return _("The machine thinks so too.")
    tree = classification.version.tree
    if f"{question}_{answer}" not in tree.label_cols:
        return ""
    return _("The machine had expected “%(answer)s”, and learns from you.") % {
        "answer": _spoken(tree, question, answer)
    }


def _spoken(tree: DecisionTree, question: str, answer: str) -> str:
    return tree.question(question).answer(answer).text(get_language() or "en")
