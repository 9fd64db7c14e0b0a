"""The votes of a round, written down as its stages will see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlcore.catalogue import TrainingCatalogue
from mlcore.errors import NotEnoughVotesError
from mlcore.images import told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.images import ImageCache
    from mlcore.round_files import RoundFiles

_CATALOGUES = {"training": False, "held_out": True}


def snapshot(files: RoundFiles) -> dict[str, Any]:
    """Write the training catalogue, and the held-out one of the control panel.

    Raises
    ------
    NotEnoughVotesError
        Where either has too few galaxies with votes.
    """
    result: dict[str, Any] = {}
    for name, control in _CATALOGUES.items():
        catalogue = _voted(files, control=control)
        result |= {
            f"{name}_subjects": len(catalogue.id_str),
            f"{name}_votes": int(catalogue.counts.sum()),
            f"{name}_checksum": catalogue.checksum,
        }
    for name in _CATALOGUES:
        minimum, found = _minimum(files, name), result[f"{name}_subjects"]
        if found < minimum:
            raise NotEnoughVotesError(
                f"{name} galaxies with votes must be at least {minimum}, are {found}"
            )
    return {**result, "catalogue_checksum": result["training_checksum"]}


def _minimum(files: RoundFiles, name: str) -> int:
    config = files.plan.config
    return config.min_held_out_subjects if _CATALOGUES[name] else config.min_training_subjects


def _voted(files: RoundFiles, *, control: bool) -> TrainingCatalogue:
    """Write and return the catalogue of galaxies with votes, in or outside the panel."""
    ids: list[str] = []
    paths: list[str] = []
    counts = [np.empty((0, len(files.plan.tree.label_cols)), dtype=np.int64)]
    for rows in files.subjects():
        files.report("snapshot", 0.75, f"{len(ids):,} galaxies with votes")
        chosen = np.flatnonzero((rows.counts.sum(axis=1) > 0) & (rows.control == control))
        ids += [rows.ids[row] for row in chosen]
        paths += [rows.files[row] for row in chosen]
        counts.append(rows.counts[chosen])
    catalogue = TrainingCatalogue(
        id_str=tuple(ids),
        file_loc=tuple(paths),
        counts=np.concatenate(counts),
        label_cols=tuple(files.plan.tree.label_cols),
    )
    stem = files.folder("snapshot").path / ("held_out" if control else "training")
    catalogue.write_csv(stem.with_suffix(".csv"))
    catalogue.write_parquet(stem.with_suffix(".parquet"))
    return catalogue


def voted_rows(
    files: RoundFiles, name: str, cache: ImageCache
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return cache rows (n,) and votes (n, A) of the ``training`` or ``held_out`` galaxies.

    Galaxies whose image could not be read are left out.

    Raises
    ------
    NotEnoughVotesError
        Where too few are left.
    """
    path = files.folder("snapshot").path / f"{name}.parquet"
    catalogue = TrainingCatalogue.read_parquet(path, files.plan.tree)
    known = np.array([id_str not in cache.unreadable for id_str in catalogue.id_str], dtype=bool)
    ids = [id_str for id_str, is_known in zip(catalogue.id_str, known, strict=True) if is_known]
    if len(ids) < _minimum(files, name):
        raise NotEnoughVotesError(
            f"{name} galaxies with votes whose image can be read must be at least "
            f"{_minimum(files, name)}, are {len(ids)} of {len(known)}: {told(cache.unreadable)}"
        )
    return cache.rows(ids), catalogue.counts[known].astype(np.float64)
