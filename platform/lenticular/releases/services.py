"""Writes of releases: made once, never changed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from lenticular.common.errors import InvalidInputError
from lenticular.consensus.snapshots import one_moment
from lenticular.releases import making
from lenticular.releases.errors import TooManySubjectsError
from lenticular.releases.models import Release, ReleaseFile
from lenticular.releases.reading import Snapshot, take_snapshot
from lenticular.rounds.workspace import local_path
from lenticular.selection.selectors import queue_state
from lenticular.workflows.models import Workflow, WorkflowVersion
from lenticular.workflows.selectors import current_version

if TYPE_CHECKING:
    from pathlib import Path

    from lenticular.accounts.models import User
    from lenticular.releases.making import MadeFile

TITLE_LENGTH = 200


def make_release(
    *,
    workflow: Workflow,
    user: User | None,
    title: str,
    version: WorkflowVersion | None = None,
    at_most: int | None = None,
) -> Release:
    """Make a release of what the log says now, all of it or nothing.

    The catalogue is written aside from one moment of the database, while volunteers go on;
    then, under the workflow's lock, it gets its number, its documents and its place.

    Parameters
    ----------
    workflow
        Of its galaxies, every one in its queue, voted for or not.
    user
        Who makes it; None for the command line.
    title
        Of the catalogue, for citations.
    version
        Whose votes; default the current one.
    at_most
        Galaxies in the queue above which it is refused; None for no limit.

    Raises
    ------
    InvalidInputError
        For a blank or overlong title, or a version of another workflow.
    NoVotesError
        Where nobody has voted under the version.
    TooManySubjectsError
        For more galaxies than `at_most`.
    ConsensusDiffersError, PredictionsDifferError
        Where what would be released contradicts itself.
    """
    title = _checked_title(title)
    version = _checked_version(workflow, version)
    _check_size(workflow, at_most)
    with making.making_folder(workflow) as folder:
        with one_moment():
            snapshot = take_snapshot(version=version)
            totals = making.write_catalogue(snapshot, folder)
            provenance = making.provenance_of(snapshot, totals)
        catalogue = making.describe_files(folder)
        return _publish(snapshot, folder, catalogue, provenance, user=user, title=title)


@transaction.atomic
def _publish(
    snapshot: Snapshot,
    folder: Path,
    catalogue: list[MadeFile],
    provenance: dict[str, Any],
    *,
    user: User | None,
    title: str,
) -> Release:
    workflow = Workflow.objects.select_for_update(no_key=True).get(pk=snapshot.version.workflow_id)
    facts = making.facts_of(
        title=title,
        number=_next_number(workflow),
        made_at=timezone.now(),
        provenance=provenance,
    )
    files = making.write_documents(folder, facts, catalogue)
    release = Release.objects.create(
        workflow=workflow,
        version=snapshot.version,
        round=snapshot.model.round if snapshot.model else None,
        number=facts.number,
        title=title,
        made_by=user,
        last_classification_id=snapshot.last_classification_id,
        subjects=facts.subjects,
        votes=facts.votes,
        provenance=provenance,
    )
    ReleaseFile.objects.bulk_create(_record(release, file) for file in files)
    _move(folder, local_path(release.artefacts))
    return release


def _next_number(workflow: Workflow) -> int:
    latest = Release.objects.filter(workflow=workflow).order_by("-number").first()
    return latest.number + 1 if latest else 1


def _record(release: Release, file: MadeFile) -> ReleaseFile:
    return ReleaseFile(
        release=release,
        name=file.name,
        bytes=file.bytes,
        sha256=file.sha256,
        description=making.DESCRIPTIONS[file.name],
    )


def _move(folder: Path, place: Path) -> None:
    """Put the folder in its place; what a killed maker left there has no release, and goes."""
    if place.exists():
        shutil.rmtree(place)
    folder.rename(place)


def _checked_title(title: str) -> str:
    title = " ".join(title.split())
    if not 0 < len(title) <= TITLE_LENGTH:
        raise InvalidInputError(f"title must have 1 to {TITLE_LENGTH} characters, has {len(title)}")
    return title


def _checked_version(workflow: Workflow, version: WorkflowVersion | None) -> WorkflowVersion:
    version = version or current_version(workflow)
    if version.workflow_id != workflow.pk:
        raise InvalidInputError(f"version must be one of {workflow}, is {version}")
    return version


def _check_size(workflow: Workflow, at_most: int | None) -> None:
    subjects = queue_state(workflow=workflow).subjects if at_most is not None else 0
    if at_most is not None and subjects > at_most:
        raise TooManySubjectsError(
            f"a release made here has at most {at_most:,} galaxies, {workflow} has {subjects:,}; "
            f"run: manage.py make_release {workflow.slug} TITLE"
        )
