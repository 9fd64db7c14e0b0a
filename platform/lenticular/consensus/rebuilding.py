"""Tallies and retirements computed again from the log, and compared with what is stored.

The log and the tallies are read once each, side by side, in the order of subjects. Of one
person's votes for a subject, over all versions of a workflow, the earliest counts.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from lenticular.classifications.selectors import votes_of
from lenticular.consensus.counting import columns_of, reason_to_retire
from lenticular.consensus.models import Retirement, RetirementReason, Tally
from lenticular.consensus.snapshots import one_moment
from lenticular.consensus.tallying import lock_tally
from lenticular.workflows.models import Workflow, WorkflowVersion

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

CHUNK = 5000
REPAIRED_AT_ONCE = 1000

Versions = dict[int, WorkflowVersion]


@dataclass(frozen=True)
class Difference:
    """Something stored that the log does not say, or the reverse."""

    subject_id: int
    what: str
    stored: Any
    log: Any

    def __str__(self) -> str:
        return f"subject {self.subject_id}: {self.what} is {self.stored}, the log says {self.log}"


@dataclass
class Count:
    """One version's tally of one subject."""

    columns: dict[str, int] = field(default_factory=dict)
    classifications: int = 0

    def add(self, annotations: Iterable[list[str]]) -> None:
        """Add one vote."""
        for column in columns_of(annotations):
            self.columns[column] = self.columns.get(column, 0) + 1
        self.classifications += 1


@dataclass
class Standing:
    """What is known of one subject: tallies by version, and whether it is retired."""

    counts: dict[int, Count] = field(default_factory=lambda: defaultdict(Count))
    is_retired: bool = False


def find_differences(*, workflow: Workflow, after: int = 0) -> Generator[Difference, None, None]:
    """Yield what differs, in the order of subjects, from the first id past `after` on.

    Nothing is held but one subject at a time, and nobody is held up.
    """
    versions = {version.pk: version for version in workflow.versions.all()}
    with one_moment():
        from_log = _from_log(workflow, versions, after)
        stored = _stored(workflow, versions, after)
        for subject_id, said, kept in _side_by_side(from_log, stored):
            yield from _compare(subject_id, versions, said, kept)


def rebuild_consensus(*, workflow: Workflow, check: bool) -> list[Difference]:
    """Compare tallies and retirements with the log; without `check`, mend what differs.

    Returns
    -------
    list
        What differed, in the order of subjects; empty where all is well.
    """
    if check:
        return list(find_differences(workflow=workflow))
    found: list[Difference] = []
    after = 0
    while some := _first_differences(workflow, after):
        for subject_id in dict.fromkeys(difference.subject_id for difference in some):
            recount_subject(workflow=workflow, subject_id=subject_id)
        after = some[-1].subject_id
        found.extend(some)
    return found


def _first_differences(workflow: Workflow, after: int) -> list[Difference]:
    with closing(find_differences(workflow=workflow, after=after)) as differences:
        return list(islice(differences, REPAIRED_AT_ONCE))


@transaction.atomic
def recount_subject(*, workflow: Workflow, subject_id: int) -> None:
    """Write the subject's tallies and retirement as the log has them.

    The tallies are locked before the log is read: a vote is either in the log by then, or
    waits and is added afterwards.
    """
    versions = {version.pk: version for version in workflow.versions.order_by("pk")}
    tallies = {
        pk: lock_tally(version=version, subject_id=subject_id) for pk, version in versions.items()
    }
    votes = _rows(votes_of(workflow=workflow).filter(subject=subject_id))
    standing = _standing(workflow, versions, votes)
    for pk, tally in tallies.items():
        count = standing.counts.get(pk, Count())
        tally.counts, tally.classifications = count.columns, count.classifications
        tally.save(update_fields=["counts", "classifications"])
    _set_retired(workflow, subject_id, versions, standing)


def _set_retired(
    workflow: Workflow, subject_id: int, versions: Versions, standing: Standing
) -> None:
    retirements = Retirement.objects.filter(workflow=workflow, subject=subject_id)
    if not standing.is_retired:
        retirements.delete()
        return
    due = [(_reason(workflow, versions[pk], count), count) for pk, count in standing.counts.items()]
    reason, count = next((reason, count) for reason, count in due if reason)
    Retirement.objects.get_or_create(
        workflow=workflow,
        subject_id=subject_id,
        defaults={"reason": reason, "votes": count.classifications},
    )


def _reason(workflow: Workflow, version: WorkflowVersion, count: Count) -> RetirementReason | None:
    return reason_to_retire(workflow, version.tree, count.columns, count.classifications)


Vote = tuple[int, int, int, list[list[str]]]


def _rows(votes: QuerySet[Any]) -> Iterator[Vote]:
    """Yield (subject, version, person, path), the earliest first."""
    person = Coalesce(F("volunteer__merged_into_id"), F("volunteer_id"))
    columns = votes.annotate(person=person).values_list(
        "subject_id", "version_id", "person", "annotations"
    )
    rows: Iterator[Vote] = columns.iterator(chunk_size=CHUNK)
    return rows


def _standing(workflow: Workflow, versions: Versions, votes: Iterable[Vote]) -> Standing:
    standing, heard = Standing(), set[int]()
    for _, version_id, person, path in votes:
        if person not in heard:
            heard.add(person)
            standing.counts[version_id].add(path)
    counts = standing.counts.items()
    standing.is_retired = any(_reason(workflow, versions[pk], count) for pk, count in counts)
    return standing


def _from_log(workflow: Workflow, versions: Versions, after: int) -> Iterator[tuple[int, Standing]]:
    votes = _rows(votes_of(workflow=workflow).filter(subject__gt=after))
    for subject_id, its_votes in groupby(votes, key=itemgetter(0)):
        yield subject_id, _standing(workflow, versions, its_votes)


def _stored(workflow: Workflow, versions: Versions, after: int) -> Iterator[tuple[int, Standing]]:
    rows = Tally.objects.filter(version__in=list(versions), subject__gt=after)
    tallies = rows.order_by("subject_id").values_list(
        "subject_id", "version_id", "counts", "classifications"
    )
    retired = Retirement.objects.filter(workflow=workflow, subject__gt=after)
    retired_ids = retired.order_by("subject_id").values_list("subject_id", flat=True)
    tallied = groupby(tallies.iterator(chunk_size=CHUNK), key=itemgetter(0))
    retirements = ((pk, True) for pk in retired_ids.iterator(chunk_size=CHUNK))
    for subject_id, its_tallies, is_retired in _side_by_side(tallied, retirements):
        standing = Standing(is_retired=bool(is_retired))
        for _, version_id, columns, classifications in its_tallies or ():
            standing.counts[version_id] = Count(columns, classifications)
        yield subject_id, standing


def _side_by_side(
    left: Iterable[tuple[int, Any]], right: Iterable[tuple[int, Any]]
) -> Iterator[tuple[int, Any, Any]]:
    """Join two streams ordered by their keys; None stands for what one side lacks."""
    lefts, rights = iter(left), iter(right)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        key = min(pair[0] for pair in (one, other) if pair is not None)
        mine = one[1] if one is not None and one[0] == key else None
        theirs = other[1] if other is not None and other[0] == key else None
        yield key, mine, theirs
        one = next(lefts, None) if one is not None and one[0] == key else one
        other = next(rights, None) if other is not None and other[0] == key else other


def _compare(
    subject_id: int, versions: Versions, said: Standing | None, kept: Standing | None
) -> Iterator[Difference]:
    said, kept = said or Standing(), kept or Standing()
    for pk in sorted({*said.counts, *kept.counts}):
        log, stored = said.counts.get(pk, Count()), kept.counts.get(pk, Count())
        if log != stored:
            what = f"tally of version {versions[pk].number}"
            yield Difference(subject_id, what, stored, log)
    if said.is_retired != kept.is_retired:
        yield Difference(subject_id, "retirement", kept.is_retired, said.is_retired)
