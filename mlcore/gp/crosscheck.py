"""Old labels, better images: one survey's labels against what another's images show.

Cheng et al. 2020 (MNRAS 493, 4209) found Galaxy Zoo 1 labels wrong that Dark Energy Survey
images, deeper than those that had been labelled, contradicted. The predictions are of a model
that learnt from the better survey, or from other galaxies: it must not have seen these labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.coordinates import SkyCoord

from mlcore.errors import InvalidInputError
from mlcore.gp.arrays import as_matrix
from mlcore.gp.mislabels import flag_mislabels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlcore.gp.arrays import Floats, Ints
    from mlcore.gp.mislabels import MislabelCandidate
    from mlcore.tree import DecisionTree


def match_ids(ids: Sequence[str], others: Sequence[str]) -> Ints:
    """Return the place (n,) of each id among the others, -1 where it is not there.

    Raises
    ------
    InvalidInputError
        Where one of the others is repeated.
    """
    place = {other: row for row, other in enumerate(others)}
    if len(place) != len(others):
        raise InvalidInputError(f"others must be unique, {len(others) - len(place)} are repeated")
    return np.array([place.get(each, -1) for each in ids], dtype=np.int64)


def match_positions(positions: npt.ArrayLike, others: npt.ArrayLike, radius_arcsec: float) -> Ints:
    """Return the place (n,) of the nearest other within the radius, -1 where there is none.

    Parameters
    ----------
    positions, others
        Right ascension and declination in degrees, ICRS, (n, 2) and (m, 2), finite.
    radius_arcsec
        Above 0. About the seeing: far less than the distance between galaxies.

    Raises
    ------
    InvalidInputError
        For another shape, a position that is not on the sky, or a bad radius.
    """
    if not 0 < radius_arcsec < np.inf:
        raise InvalidInputError(f"radius_arcsec must be finite and above 0, is {radius_arcsec}")
    ours, theirs = _on_sky(positions, "positions"), _on_sky(others, "others")
    if not len(ours) or not len(theirs):
        return np.full(len(ours), -1, dtype=np.int64)
    place, distance, _ = _coordinates(ours).match_to_catalog_sky(_coordinates(theirs))
    near = distance.to_value(units.arcsec) <= radius_arcsec
    return np.where(near, place, -1).astype(np.int64)


def check_labels(
    ids: Sequence[str],
    counts: npt.ArrayLike,
    match: npt.ArrayLike,
    predictions: npt.ArrayLike,
    tree: DecisionTree,
    *,
    false_discovery_rate: float = 0.1,
    review_budget: int | None = None,
) -> list[MislabelCandidate]:
    """Return the galaxies whose label contradicts the other survey's image, worst first.

    Parameters
    ----------
    ids, counts
        The n galaxies and their labels as votes (n, A), which are taken for certain:
        `mlcore.gp.predictive.certain_counts` makes them.
    match
        Place (n,) of each galaxy among the predictions, -1 where it has none: it is not judged.
    predictions
        Fractions or Dirichlet concentrations (m, A) from the better images.
    tree, false_discovery_rate, review_budget
        See `mlcore.gp.mislabels.flag_mislabels`.

    Raises
    ------
    InvalidInputError
        For a match that is no place, or what `flag_mislabels` refuses.
    """
    found = as_matrix(predictions, "predictions")
    places = np.asarray(match, dtype=np.int64)
    if ((places < -1) | (places >= len(found))).any():
        raise InvalidInputError(f"match must be from -1 to {len(found) - 1}, but some is not")
    # The row that -1 points to.
    aligned = np.vstack([found, np.full((1, found.shape[1]), np.nan)])[places]
    return flag_mislabels(
        ids,
        counts,
        aligned,
        None,
        tree,
        certain=True,
        false_discovery_rate=false_discovery_rate,
        review_budget=review_budget,
    )


def _on_sky(positions: npt.ArrayLike, name: str) -> Floats:
    found = as_matrix(positions, name)
    if found.shape[1] != 2:
        raise InvalidInputError(f"{name} must have 2 columns, has {found.shape[1]}")
    if not (np.isfinite(found).all() and (np.abs(found[:, 1]) <= 90).all()):
        raise InvalidInputError(f"{name} must be finite, with declinations from -90 to 90")
    return found


def _coordinates(positions: Floats) -> SkyCoord:
    return SkyCoord(positions[:, 0], positions[:, 1], unit="deg")
