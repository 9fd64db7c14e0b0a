"""Simulated volunteers and a simulated expert, through the same services as people."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction

from lenticular.accounts.models import User, Volunteer
from lenticular.accounts.services import create_anonymous_volunteer
from lenticular.classifications.models import Arm, Classification
from lenticular.classify.services import record_classification
from lenticular.review.services import make_gold_standard, record_verdict
from lenticular.rounds.models import FlagState, FlagStratum, MislabelFlag, Round
from lenticular.selection.models import QueueEntry
from lenticular.selection.services import lease_subjects
from lenticular.subjects.models import Subject
from mlcore.catalogue import hash_split
from mlcore.simulate.answers import answer_fractions
from mlcore.simulate.survey import read_truths
from mlcore.simulate.volunteers import VolunteerPopulation, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lenticular.operations.demo_plan import DemoPlan, DemoState
    from lenticular.selection.models import Lease
    from lenticular.workflows.models import Workflow, WorkflowVersion
    from mlcore.tree import DecisionTree

SESSION = 5
"""Galaxies that a volunteer classifies in one sitting."""


@dataclass(frozen=True)
class Crowd:
    """What a crowd would answer, by galaxy; only the demonstration reads it.

    Attributes
    ----------
    true
        External id to vote fractions, shape (A,).
    seen
        The same as volunteers see it: other galaxies' where a wrong label is planted.
    """

    true: Mapping[str, NDArray[np.float64]]
    seen: Mapping[str, NDArray[np.float64]]

    @property
    def planted(self) -> frozenset[str]:
        """The galaxies with a wrong label."""
        return frozenset(name for name in self.true if self.true[name] is not self.seen[name])


def read_crowd(truth: Path, tree: DecisionTree, plan: DemoPlan) -> Crowd:
    """Read the drawn survey's truth, and plant wrong labels in a share of it.

    A galaxy with a wrong label is seen as another whose most likely first answer differs.
    """
    true = {name: answer_fractions(galaxy, tree) for name, galaxy in read_truths(truth)}
    first = tree.question_slices[tree.start]
    top = {name: int(fractions[first].argmax()) for name, fractions in true.items()}
    names = sorted(true)
    shares = {"planted": plan.planted, "right": 1 - plan.planted}
    split = hash_split(names, shares, salt=f"planted-{plan.seed}")
    rng = np.random.default_rng([plan.seed, 1])
    seen = dict(true)
    for name in (name for name, part in zip(names, split, strict=True) if part == "planted"):
        others = [other for other in names if top[other] != top[name]]
        seen[name] = true[others[int(rng.integers(len(others)))]]
    return Crowd(true, seen)


class Volunteering:
    """Volunteers who come, classify a few galaxies, and go.

    Parameters
    ----------
    workflow
        Must have a version.
    plan
        How many volunteers, and the seed.
    state
        Remembers which volunteer is which between runs.
    crowd
        What they see.
    """

    def __init__(self, workflow: Workflow, plan: DemoPlan, state: DemoState, crowd: Crowd) -> None:
        self.workflow, self.crowd = workflow, crowd
        self.version = current_version(workflow)
        self.people = VolunteerPopulation(plan.volunteers, plan.seed).volunteers()
        self.volunteers = _volunteers(state, plan.volunteers)
        done = Classification.objects.filter(workflow=workflow).count()
        self.rng = np.random.default_rng([plan.seed, 2, done])

    def classify_until(self, votes: int, on_vote: Callable[[int], None]) -> int:
        """Have them classify until the workflow has `votes` votes; return how many it has.

        Stops short where nothing is left to classify. `on_vote` is told the votes so far.
        """
        have = Classification.objects.filter(workflow=self.workflow, kind="vote").count()
        activity = np.array([person.activity for person in self.people])
        idle = 0
        while have < votes and idle < 4 * len(self.people):
            index = int(self.rng.choice(len(self.people), p=activity / activity.sum()))
            done = self._sit_down(index, min(SESSION, votes - have))
            idle = 0 if done else idle + 1
            have += done
            on_vote(have)
        return have

    @transaction.atomic
    def _sit_down(self, index: int, most: int) -> int:
        """One sitting in one transaction: fewer waits for the disk, same services."""
        volunteer = self.volunteers[index]
        leases = lease_subjects(workflow=self.workflow, volunteer=volunteer, count=most)
        for lease in leases:
            self._answer(index, volunteer, lease)
        return sum(lease.arm != Arm.PRACTICE for lease in leases)

    def _answer(self, index: int, volunteer: Volunteer, lease: Lease) -> None:
        fractions = self.crowd.seen[lease.subject.external_id]
        record_classification(
            volunteer=volunteer,
            uuid=uuid.UUID(bytes=self.rng.bytes(16), version=4),
            version_id=self.version.pk,
            subject_id=lease.subject_id,
            annotations=classify(self.people[index], fractions, self.version.tree, self.rng),
        )


def _volunteers(state: DemoState, count: int) -> list[Volunteer]:
    missing = count - len(state.volunteers)
    state.volunteers += [create_anonymous_volunteer().pk for _ in range(missing)]
    state.save()
    found = Volunteer.objects.in_bulk(state.volunteers)
    return [found[key] for key in state.volunteers]


def current_version(workflow: Workflow) -> WorkflowVersion:
    """Return the workflow's current version, which the demonstration has made."""
    return workflow.versions.select_related("workflow").latest("number")


def review_flags(*, round_: Round, expert: User, crowd: Crowd) -> Iterator[MislabelFlag]:
    """Have an expert who sees the truth judge every open flag of a round; yield each.

    Spot checks are left to whoever visits the demonstration.
    """
    tree = round_.version.tree
    for flag in round_.flags.filter(stratum=FlagStratum.FLAGGED, state=FlagState.OPEN):
        name = flag.subject.external_id
        if name in crowd.planted:
            right = likeliest_path(crowd.true[name], tree)
            record_verdict(flag=flag, expert=expert, state=FlagState.MISLABEL, annotations=right)
        else:
            record_verdict(flag=flag, expert=expert, state=FlagState.VOTES_RIGHT)
        yield flag


def make_gold_standards(*, workflow: Workflow, expert: User, crowd: Crowd, count: int) -> None:
    """Have an expert who sees the truth make gold standards, clear ones of every kind."""
    version = current_version(workflow)
    queued = Subject.objects.filter(
        pk__in=QueueEntry.objects.filter(workflow=workflow, in_panel=False).values("subject")
    )
    subjects = {subject.external_id: subject for subject in queued}
    for name in clear_galaxies(crowd, version.tree, frozenset(subjects), count):
        make_gold_standard(
            version=version,
            subject=subjects[name],
            expert=expert,
            annotations=likeliest_path(crowd.true[name], version.tree),
        )


def clear_galaxies(
    crowd: Crowd, tree: DecisionTree, names: frozenset[str], count: int
) -> list[str]:
    """Return up to `count` galaxies of `names`, rightly seen, on which nearly all agree.

    Each likeliest path gives its clearest galaxy before any gives a second.
    """
    by_path: dict[tuple[tuple[str, str], ...], list[tuple[float, str]]] = {}
    for name in sorted(names & crowd.true.keys() - crowd.planted):
        fractions = crowd.true[name]
        path = likeliest_path(fractions, tree)
        clarity = min(float(fractions[tree.column_index[step]]) for step in path)
        by_path.setdefault(path, []).append((-clarity, name))
    ranked = [
        (place, haze, name)
        for galaxies in by_path.values()
        for place, (haze, name) in enumerate(sorted(galaxies))
    ]
    return [name for _, _, name in sorted(ranked)[:count]]


def likeliest_path(
    fractions: NDArray[np.float64], tree: DecisionTree
) -> tuple[tuple[str, str], ...]:
    """Walk the tree by the likeliest answer of each question; fractions have shape (A,)."""
    path = []
    slug: str | None = tree.start
    while slug is not None:
        place = tree.question_slices[slug]
        answer = tree.question(slug).answers[int(np.argmax(fractions[place]))]
        path.append((slug, answer.slug))
        slug = answer.next
    return tuple(path)
