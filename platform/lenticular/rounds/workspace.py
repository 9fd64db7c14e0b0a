"""Where a round's files are: the one place that knows how the artefact store works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.storage import storages

from lenticular.rounds.errors import ArtefactStoreError
from mlcore.errors import ArtefactError
from mlcore.files import read_json
from mlcore.stages import MARK, StageFolder, StageRecord, file_checksum

if TYPE_CHECKING:
    from lenticular.rounds.models import Round, TrainedModel
    from lenticular.workflows.models import Workflow


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


def find_damage(round_: Round, stage: str) -> str | None:
    """Return what is wrong with the files of a finished stage, or None where they are whole.

    Unlike `StageFolder.verified` it removes nothing: what is published stays as it is.
    """
    folder = stage_folder(round_, stage)
    try:
        record = StageRecord(**read_json(folder.path / MARK))
    except (ArtefactError, TypeError):
        return f"{stage} of round {round_.number} has no readable record"
    for name, checksum in record.outputs.items():
        path = folder.path / name
        if not path.is_file():
            return f"{path} is missing"
        if file_checksum(path) != checksum:
            return f"{path} has changed"
    return None


def shared_folder(workflow: Workflow) -> Path:
    """Return the folder that the rounds of a workflow share: image cache and pretraining."""
    return local_path(f"rounds/{workflow.slug}/shared")


def model_folder(model: TrainedModel) -> Path:
    """Return the folder of a trained model."""
    return local_path(model.artefacts)
