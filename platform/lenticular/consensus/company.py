"""How the others answered what one person was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lenticular.classifications.models import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lenticular.classifications.models import Classification


@dataclass(frozen=True)
class Company:
    """One question of the path: the answer, and how the others answered."""

    question: str
    answer: str
    others: dict[str, int]

    @property
    def total(self) -> int:
        """How many others were asked."""
        return sum(self.others.values())

    @property
    def agree(self) -> int:
        """How many of them gave the same answer."""
        return self.others.get(self.answer, 0)

    @property
    def unity(self) -> float:
        """How far the others agree with each other: the largest answer's share."""
        return max(self.others.values()) / self.total


def most_debated(classification: Classification, counts: Mapping[str, int]) -> Company | None:
    """Return the question of the path on which the others are the most divided.

    Parameters
    ----------
    classification
        Whose path; a vote is in the tally itself, and is taken out of it.
    counts
        The tally of its subject and version: label column to votes.

    Returns
    -------
    Company or None
        None where nobody else was asked any of it.
    """
    own = 1 if classification.kind == Kind.VOTE else 0
    companies = [
        _company(classification, counts, question, answer, own)
        for question, answer in classification.annotations
    ]
    met = [company for company in companies if company.total > 0]
    return min(met, key=lambda company: (company.unity, -company.total), default=None)


def _company(
    classification: Classification, counts: Mapping[str, int], question: str, answer: str, own: int
) -> Company:
    others = {
        each.slug: counts.get(f"{question}_{each.slug}", 0)
        for each in classification.version.tree.question(question).answers
    }
    return Company(question, answer, {**others, answer: max(0, others[answer] - own)})
