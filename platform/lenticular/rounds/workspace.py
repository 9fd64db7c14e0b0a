"""Where a round's files are: the one place that knows how the artefact store works."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.storage import storages

from lenticular.rounds.errors import ArtefactStoreError
from mlcore.errors import ArtefactError, UnreadableError
from mlcore.stages import StageFolder, StageRecord, file_checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lenticular.rounds.models import Round, TrainedModel
    from lenticular.workflows.models import Workflow


LOOK_AGAIN_SECONDS = 600


def local_path(name: str) -> Path:
    """Return the local path of `name` in the artefact store.

    Raises
    ------
    ArtefactStoreError
        Where the store is not a local folder: stages work on memory-mapped files.
    """
    return _path("artefacts", name)


def images_folder() -> Path:
    """Return the folder that the subjects' stored image names are relative to."""
    return _path("default", "")


def _path(store: str, name: str) -> Path:
    try:
        return Path(storages[store].path(name))
    except NotImplementedError as error:
        raise ArtefactStoreError(
            f"STORAGES[{store!r}] must be a local or mounted folder, has no local paths"
        ) from error


def round_folder(round_: Round) -> Path:
    """Return the folder that holds everything the round reads and writes."""
    return local_path(round_.artefacts)


def stage_folder(round_: Round, stage: str) -> StageFolder:
    """Return the folder of one stage of the round."""
    return StageFolder(round_folder(round_) / stage)


def readable_record(round_: Round, stage: str) -> StageRecord | None:
    """Return what a stage recorded; None where it is not finished or its mark is no good."""
    try:
        return stage_folder(round_, stage).record()
    except ArtefactError:
        return None


def find_damage(round_: Round, *stages: str, afresh: bool = True) -> str | None:
    """Return what is wrong with the files of finished stages, or None where they are whole.

    Unlike `StageFolder.verified` it removes nothing: what is published stays as it is. Where it
    need not be `afresh`, as on pages, a file is read again once its size or time has changed, or
    after ten minutes: a disk may lose bits without a word.
    """
    checksum_of = file_checksum if afresh else _known_checksum
    found = (_damage_of(round_, stage, checksum_of) for stage in stages)
    return next((damage for damage in found if damage), None)


def _known_checksum(path: Path) -> str:
    found = path.stat()
    now = int(time.time() // LOOK_AGAIN_SECONDS)
    return _checksum_then(path, found.st_size, found.st_mtime_ns, now)


@lru_cache(maxsize=256)
def _checksum_then(path: Path, _size: int, _mtime_ns: int, _now: int) -> str:
    return file_checksum(path)


def _damage_of(round_: Round, stage: str, checksum_of: Callable[[Path], str]) -> str | None:
    record = readable_record(round_, stage)
    if record is None:
        return f"{stage} of round {round_.number} has no readable record"
    for name, checksum in record.outputs.items():
        path = stage_folder(round_, stage).path / name
        if not path.is_file():
            return f"{path} is missing"
        try:
            if checksum_of(path) != checksum:
                return f"{path} has changed"
        except (OSError, UnreadableError) as error:
            return str(error)
    return None


def stamps(round_: Round, stages: Iterable[str]) -> dict[Path, tuple[int, int]]:
    """Return size and time of the last change of every file of the stages.

    Hashing takes long, and is done before a transaction. Stamps taken before that, and equal
    in the transaction, say that the files are still those that were hashed.
    """
    folders = [stage_folder(round_, stage).path for stage in stages]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: (found.st_size, found.st_mtime_ns) for path in files if (found := path.stat())}


def shared_folder(workflow: Workflow) -> Path:
    """Return the folder that the rounds of a workflow share: image cache and pretraining."""
    return local_path(f"rounds/{workflow.slug}/shared")


def model_folder(model: TrainedModel) -> Path:
    """Return the folder of a trained model."""
    return local_path(model.artefacts)
