"""The field guide's examples: drawn galaxies for which one answer clearly holds.

``python -m mlcore.simulate.guide OUT`` draws them all, the same pictures each time. What
`galaxies` has no parameter for (a lens's arcs, a cloud of glowing gas) comes from
`rarities`.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PIL import Image

from mlcore.simulate.anatomy import HOT_STARS
from mlcore.simulate.galaxies import ARTIFACT, DISK, SMOOTH, GalaxyTruth
from mlcore.simulate.rarities import (
    GLOWING_GAS,
    dust_lane,
    lens_arcs,
    patches,
    single_arm,
)
from mlcore.simulate.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from mlcore.simulate.anatomy import Bands
    from mlcore.simulate.components import Grid

SIZE = 192
_QUALITY = 62
_SEED = 4200

# A bright galaxy in good weather: what the answer is about is easy to see.
_PLAIN = GalaxyTruth(
    seed=_SEED, index=0, kind=DISK, ra=180.0, dec=0.0, magnitude=14.2, redshift=0.03,
    field_of_view=56.0, seeing=0.75, depth=26.8, radius=8.5, axis_ratio=1.0,
    inclination=25.0, position_angle=30.0, redness=0.3, bulge_fraction=0.1,
    bulge_sersic=2.0, boxiness=0.0, bar_strength=0.0, bar_length=1.2, arm_count=2,
    arm_strength=0.0, pitch_angle=19.0, flocculence=0.1, clockwise=True,
    ring_strength=0.0, ring_radius=1.8, knots=0.0, dust=0.2, disturbance=0.02,
    companion_flux=0.0, companion_distance=2.0, artifact="none",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """One example of the field guide.

    Attributes
    ----------
    truth
        The galaxy.
    alter
        What is changed in its light, as `render` takes it; None for nothing.
    """

    truth: GalaxyTruth
    alter: Callable[[Bands, Grid], Bands] | None = None

    def picture(self) -> NDArray[np.uint8]:
        """Draw it: shape (SIZE, SIZE, 3), red, green, blue."""
        return render(self.truth, SIZE, alter=self.alter)


def _galaxy(index: int, **changes: Any) -> Example:
    return Example(replace(_PLAIN, index=index, **changes))


def _smooth(index: int, axis_ratio: float, **changes: Any) -> Example:
    plain = {"kind": SMOOTH, "bulge_fraction": 1.0, "redness": 0.85, "bulge_sersic": 2.6,
             "radius": 5.0, "magnitude": 14.6}  # fmt: skip
    return _galaxy(index, axis_ratio=axis_ratio, inclination=0.0, **{**plain, **changes})


def _spiral(index: int, **changes: Any) -> Example:
    return _galaxy(index, **{"arm_strength": 0.95, "knots": 0.4, **changes})


def _side(index: int, **changes: Any) -> Example:
    return _galaxy(index, **{"inclination": 88.0, "radius": 11.0, "magnitude": 14.0, **changes})


def _boxy(index: int, **changes: Any) -> Example:
    return _side(index, **{"boxiness": 1.0, "bulge_fraction": 0.45, "bulge_sersic": 0.6, **changes})


def _dusty(index: int, angle: float, **changes: Any) -> Example:
    near = {"dust": 1.0, "inclination": 84.0, "radius": 13.0, "magnitude": 13.8}
    truth = _side(index, **{**near, **changes}, position_angle=angle).truth
    return Example(truth, partial(dust_lane, angle=angle, width=0.9, depth=6.0))


def _lone_arm(index: int, pitch: float, **changes: Any) -> Example:
    faint = {"arm_count": 1, "arm_strength": 0.45, "flocculence": 0.0, "bulge_fraction": 0.05}
    truth = _galaxy(index, **{**faint, "inclination": 0.0, **changes}).truth
    return Example(truth, partial(single_arm, start=2.0, pitch=pitch, turns=1.15))


def _ragged(index: int, seed: int, **changes: Any) -> Example:
    shape = {"disturbance": 0.46, "redness": 0.05, "bulge_fraction": 0.0, "radius": 5.5,
             "magnitude": 16.3, "inclination": 55.0}  # fmt: skip
    spots = partial(patches, at=(2.0, 1.0), spread=4.5, colour=HOT_STARS, seed=seed)
    return Example(_galaxy(index, **{**shape, **changes}).truth, spots)


def _lensing(index: int, seed: int, *, axis_ratio: float) -> Example:
    truth = _smooth(index, axis_ratio, radius=3.5, magnitude=15.2).truth
    return Example(truth, partial(lens_arcs, radius=11.0, seed=seed))


def _spoilt(index: int, artifact: str, **changes: Any) -> Example:
    return _smooth(index, 0.8, kind=ARTIFACT, artifact=artifact, **changes)


_EXAMPLES: dict[str, Example] = {
    "round-1": _smooth(1, 0.98),
    "round-2": _smooth(2, 0.95, radius=6.0, bulge_sersic=3.4),
    "oval-1": _smooth(3, 0.62),
    "oval-2": _smooth(4, 0.55, position_angle=140.0, radius=6.0),
    "cigar-1": _smooth(5, 0.30, radius=7.5),
    "cigar-2": _smooth(6, 0.27, position_angle=100.0, radius=8.0, bulge_sersic=1.8),
    "star-1": _spoilt(7, "star"),
    "trail-1": _spoilt(8, "satellite-trail"),
    "ghost-1": _spoilt(9, "ghost", magnitude=16.5, radius=4.0),
    "plain-1": _galaxy(10, redness=0.8, bulge_fraction=0.2),
    "plain-2": _galaxy(11, redness=0.7, bulge_fraction=0.1, inclination=50.0),
    "spiral-1": _spiral(12),
    "spiral-2": _spiral(13, inclination=55.0, pitch_angle=22.0),
    "spiral-barred-1": _spiral(14, bar_strength=0.8, bar_length=1.3),
    "edge-on-1": _side(15, bulge_fraction=0.0, redness=0.3),
    "edge-on-2": _side(16, bulge_fraction=0.0, position_angle=110.0),
    "bulge-round-1": _side(17, bulge_fraction=0.3, bulge_sersic=1.0),
    "bulge-round-2": _side(18, bulge_fraction=0.4, bulge_sersic=1.0, position_angle=160.0),
    "bulge-boxy-1": _boxy(19, position_angle=0.0),
    "bulge-boxy-2": _boxy(20, position_angle=35.0, bulge_fraction=0.5),
    "bar-strong-1": _galaxy(21, bar_strength=1.0, bar_length=1.7, redness=0.5),
    "bar-strong-2": _spiral(22, bar_strength=1.0, bar_length=1.6),
    "bar-weak-1": _spiral(23, bar_strength=0.44, bar_length=1.3, arm_strength=0.6),
    "bar-weak-2": _galaxy(24, bar_strength=0.44, bar_length=1.4, bulge_fraction=0.03),
    "tight-1": _spiral(25, pitch_angle=9.0),
    "tight-2": _spiral(26, pitch_angle=11.0, inclination=45.0),
    "medium-1": _spiral(27, pitch_angle=19.0),
    "medium-2": _spiral(28, pitch_angle=19.0, inclination=45.0),
    "loose-1": _spiral(29, pitch_angle=32.0),
    "loose-2": _spiral(30, pitch_angle=36.0, inclination=40.0),
    "arms-1-1": _lone_arm(31, 13.0),
    "arms-1-2": _lone_arm(32, 16.0, redness=0.6, bulge_fraction=0.15),
    "arms-2-1": _spiral(33, pitch_angle=22.0),
    "arms-2-2": _spiral(34, pitch_angle=18.0, bar_strength=0.7),
    "arms-3-1": _spiral(35, arm_count=3, pitch_angle=22.0),
    "arms-3-2": _spiral(36, arm_count=3, pitch_angle=26.0, inclination=40.0),
    "arms-4-1": _spiral(37, arm_count=4, pitch_angle=24.0),
    "arms-4-2": _spiral(38, arm_count=4, pitch_angle=30.0, inclination=40.0),
    "arms-many-1": _spiral(39, arm_count=6, pitch_angle=28.0),
    "arms-many-2": _spiral(40, arm_count=7, pitch_angle=30.0),
    "arms-broken-1": _spiral(41, flocculence=0.8, arm_strength=0.5, knots=0.8, seeing=1.4),
    "arms-broken-2": _spiral(42, flocculence=0.75, arm_strength=0.6, inclination=64.0, seeing=1.6),
    "bulge-dominant-1": _spiral(43, bulge_fraction=0.8, arm_strength=0.6, knots=0.0),
    "bulge-dominant-2": _galaxy(44, bulge_fraction=0.85, redness=0.8, inclination=45.0),
    "bulge-large-1": _spiral(45, bulge_fraction=0.52),
    "bulge-large-2": _spiral(46, bulge_fraction=0.52, inclination=50.0),
    "bulge-moderate-1": _spiral(47, bulge_fraction=0.27),
    "bulge-moderate-2": _spiral(48, bulge_fraction=0.27, inclination=50.0),
    "bulge-small-1": _spiral(49, bulge_fraction=0.075),
    "bulge-small-2": _spiral(50, bulge_fraction=0.075, inclination=50.0),
    "bulge-none-1": _spiral(51, bulge_fraction=0.005, redness=0.15),
    "bulge-none-2": _spiral(52, bulge_fraction=0.005, redness=0.15, inclination=50.0),
    "minor-1": _spiral(53, disturbance=0.48),
    "minor-2": _smooth(54, 0.75, disturbance=0.48),
    "major-1": _spiral(55, disturbance=0.95, radius=7.0),
    "major-2": _smooth(56, 0.8, disturbance=0.95),
    "major-3": _spiral(57, disturbance=0.85, inclination=50.0, radius=7.0),
    "merger-1": _spiral(58, disturbance=0.7, companion_flux=0.7, radius=6.5),
    "merger-2": _smooth(59, 0.8, disturbance=0.5, companion_flux=0.9, radius=4.0),
    "merger-3": _spiral(60, disturbance=0.9, companion_flux=0.5, companion_distance=1.8,
                        radius=6.5),
    "ring-1": _galaxy(61, ring_strength=1.0, ring_radius=1.9, bulge_fraction=0.15),
    "ring-2": _galaxy(62, ring_strength=1.0, ring_radius=2.2, bar_strength=0.6, redness=0.5),
    "ring-3": _galaxy(63, ring_strength=0.95, ring_radius=1.7, inclination=50.0),
    "dust-lane-1": _dusty(64, 25.0, bulge_fraction=0.4, redness=0.6, bulge_sersic=1.0),
    "dust-lane-2": _dusty(65, 130.0, bulge_fraction=0.15, redness=0.5),
    "irregular-1": _ragged(66, 1),
    "irregular-2": _ragged(67, 4, position_angle=120.0, bar_strength=0.6),
    "lens-1": _lensing(68, 1, axis_ratio=0.9),
    "lens-2": _lensing(69, 2, axis_ratio=0.75),
    "cloud-1": Example(
        _spiral(70, inclination=50.0, radius=6.5).truth,
        partial(patches, at=(4.0, -14.0), spread=3.2, colour=GLOWING_GAS, seed=1),
    ),
    "clockwise-1": _spiral(71),
    "clockwise-2": _spiral(72, pitch_angle=24.0, inclination=40.0),
    "anticlockwise-1": _spiral(73, clockwise=False),
    "anticlockwise-2": _spiral(74, clockwise=False, pitch_angle=24.0, inclination=40.0),
}  # fmt: skip
EXAMPLES: Mapping[str, Example] = MappingProxyType(_EXAMPLES)


def write_examples(folder: Path) -> None:
    """Write every example as ``NAME.webp`` into `folder`, made where it is absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in EXAMPLES.items():
        picture = Image.fromarray(each.picture())
        picture.save(folder / f"{name}.webp", "WEBP", quality=_QUALITY, method=6)


if __name__ == "__main__":
    parser = ArgumentParser(description="Draw the field guide's examples.")
    parser.add_argument("folder", type=Path)
    write_examples(parser.parse_args().folder)
