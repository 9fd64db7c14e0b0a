"""Drawn galaxies: their physical parameters, and a population to draw from.

A galaxy depends on (seed, index) alone, so a survey can be drawn in any order,
in parallel, or again from where it stopped. The population is meant to be
plausible, not a mock catalogue: luminosities and sizes follow rough
low-redshift relations (Shen et al. 2003), bulges and disks are Sersic profiles
(Sersic 1963; Graham & Driver 2005), arms are logarithmic spirals, and the mix of
kinds follows what Galaxy Zoo's volunteers see (Willett et al. 2013; Walmsley et
al. 2022): about 57% smooth, a few per cent artifacts and mergers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcore.errors import InvalidInputError

SMOOTH, DISK, ARTIFACT = "smooth", "disk", "artifact"
KIND_SHARES = {SMOOTH: 0.41, DISK: 0.56, ARTIFACT: 0.03}
ARTIFACTS = ("satellite-trail", "bright-star", "bad-columns", "blank", "star", "ghost")
TRUTH_STREAM, RENDER_STREAM = 1, 2

_HUBBLE_DISTANCE_MPC = 299_792.458 / 70.0
_ARCSEC_PER_RADIAN = 206_264.8
_ARM_COUNT_SHARES = {1: 0.06, 2: 0.52, 3: 0.16, 4: 0.12, 5: 0.09, 6: 0.05}


@dataclass(frozen=True, slots=True)
class GalaxyTruth:
    """What a drawn galaxy really is.

    Strengths run from 0 (absent) to 1 (as strong as they come). Angles are in
    degrees, counted from the image's right towards its top in a clockwise
    galaxy; an anticlockwise one is its mirror image, noise and neighbours
    included.

    Attributes
    ----------
    seed, index
        What the galaxy was drawn from.
    kind
        ``smooth``, ``disk`` or ``artifact``.
    ra, dec
        Position, degrees, ICRS.
    magnitude, redshift
        Apparent r magnitude (AB) and redshift.
    field_of_view, seeing
        Side of the square image, and width of the PSF at half maximum, arcsec.
    depth
        Sky noise in one square arcsec, as a magnitude: larger is deeper.
    radius
        Half-light radius along the major axis, arcsec.
    axis_ratio
        Minor over major axis of a smooth galaxy, as seen; 1 is round.
    inclination, position_angle
        Of the disk: 0 is face-on, 90 edge-on.
    redness
        0 for a blue disk, 1 for one as red as a bulge.
    bulge_fraction, bulge_sersic, boxiness
        Share of the light, Sersic index, and how boxy the bulge is from the side.
    bar_strength, bar_length
        Length in disk scale lengths.
    arm_count, arm_strength, pitch_angle, flocculence, clockwise
        Arms: 0 of them in a smooth galaxy. ``clockwise`` is Galaxy Zoo 1's sense
        (the arms open anticlockwise; "Z"); every galaxy has one, seen or not.
    ring_strength, ring_radius
        Radius in disk scale lengths.
    knots, dust
        Star-forming knots, and dust along the arms or in the plane.
    disturbance
        Tails, shells and lopsidedness.
    companion_flux, companion_distance
        Light of a merging neighbour over the galaxy's own (0: none), and its
        distance in half-light radii.
    artifact
        One of `ARTIFACTS`, or ``none``.
    """

    seed: int
    index: int
    kind: str
    ra: float
    dec: float
    magnitude: float
    redshift: float
    field_of_view: float
    seeing: float
    depth: float
    radius: float
    axis_ratio: float
    inclination: float
    position_angle: float
    redness: float
    bulge_fraction: float
    bulge_sersic: float
    boxiness: float
    bar_strength: float
    bar_length: float
    arm_count: int
    arm_strength: float
    pitch_angle: float
    flocculence: float
    clockwise: bool
    ring_strength: float
    ring_radius: float
    knots: float
    dust: float
    disturbance: float
    companion_flux: float
    companion_distance: float
    artifact: str

    @property
    def scale_length(self) -> float:
        """Exponential scale length of the disk, arcsec."""
        return self.radius / 1.678

    @property
    def flux(self) -> float:
        """Total r-band light, nanomaggies."""
        return nanomaggies(self.magnitude)

    @property
    def sky_noise(self) -> float:
        """Standard deviation of the sky in one square arcsec, nanomaggies."""
        return nanomaggies(self.depth)

    @property
    def seen_axis_ratio(self) -> float:
        """Minor over major axis of the whole galaxy as projected on the sky."""
        if self.kind != DISK:
            return self.axis_ratio
        flat = 0.15 + 0.45 * self.bulge_fraction
        return math.sqrt(flat**2 + (1 - flat**2) * math.cos(math.radians(self.inclination)) ** 2)

    @property
    def visibility(self) -> float:
        """How much of the structure survives blur and noise, in (0, 1)."""
        resolution = self.radius / self.seeing
        area = math.pi * self.radius**2 * self.seen_axis_ratio
        signal = 0.5 * self.flux / (area * self.sky_noise)
        return soft_step(math.log(resolution), math.log(1.55), 0.32) * soft_step(
            math.log(signal), math.log(18.0), 0.5
        )


def nanomaggies(magnitude: float) -> float:
    """Convert an AB magnitude to a flux in nanomaggies."""
    return float(10.0 ** (-0.4 * (magnitude - 22.5)))


def soft_step(value: float, threshold: float, softness: float) -> float:
    """Rise from 0 to 1 about a threshold (logistic); 0.5 at the threshold."""
    return 0.5 * (1.0 + math.tanh(0.5 * (value - threshold) / softness))


def stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Return the random generator of one galaxy for one purpose.

    Raises
    ------
    InvalidInputError
        When the seed or the index is negative.
    """
    for name, value in (("seed", seed), ("index", index)):
        if value < 0:
            raise InvalidInputError(f"{name} must be at least 0, is {value}")
    return np.random.default_rng([seed, index, purpose])


def draw_truth(seed: int, index: int) -> GalaxyTruth:
    """Draw the galaxy of this number in the survey of this seed.

    Parameters
    ----------
    seed, index
        Whole numbers from 0; the same pair always gives the same galaxy.

    Raises
    ------
    InvalidInputError
        When either is negative.
    """
    rng = stream(seed, index, TRUTH_STREAM)
    kind = str(rng.choice(list(KIND_SHARES), p=list(KIND_SHARES.values())))
    structure = _draw_disk(rng) if kind == DISK else _draw_spheroid(rng)
    return GalaxyTruth(
        seed=seed,
        index=index,
        kind=kind,
        clockwise=bool(rng.random() < 0.5),
        position_angle=float(rng.uniform(0, 360)),
        artifact=str(rng.choice(ARTIFACTS)) if kind == ARTIFACT else "none",
        **structure,
        **_draw_observation(rng, kind),
        **_draw_interaction(rng),
    )


def _draw_observation(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    magnitude = 18.3 - 4.6 * rng.beta(1.3, 2.2)
    luminosity = rng.normal(-20.9, 0.8)
    distance_mpc = 10 ** ((magnitude - luminosity - 25) / 5)
    typical_kpc = 6.0 if kind == DISK else 4.5
    kpc = typical_kpc * 10 ** (-0.13 * (luminosity + 20.9) + rng.normal(0, 0.16))
    radius = max(0.9, kpc / (1000 * distance_mpc) * _ARCSEC_PER_RADIAN)
    share = float(np.clip(rng.lognormal(math.log(0.085), 0.24), 0.05, 0.16))
    return {
        "ra": float(rng.uniform(0, 360)),
        "dec": math.degrees(math.asin(rng.uniform(-0.3, 0.55))),
        "magnitude": float(magnitude),
        "redshift": float(distance_mpc / _HUBBLE_DISTANCE_MPC),
        "radius": float(radius),
        "field_of_view": float(max(24.0, radius / share)),
        "seeing": float(np.clip(rng.lognormal(math.log(1.15), 0.15), 0.8, 1.9)),
        "depth": float(rng.normal(26.3, 0.4)),
    }


def _draw_spheroid(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "axis_ratio": float(0.22 + 0.78 * rng.beta(2.6, 1.3)),
        "inclination": 0.0,
        "redness": float(rng.beta(5, 1.5)),
        "bulge_fraction": 1.0,
        "bulge_sersic": float(rng.uniform(1.4, 4.2)),
        "boxiness": float(0.3 * rng.random()),
        "bar_strength": 0.0,
        "bar_length": 0.0,
        "arm_count": 0,
        "arm_strength": 0.0,
        "pitch_angle": 0.0,
        "flocculence": 0.0,
        "ring_strength": 0.0,
        "ring_radius": 0.0,
        "knots": 0.0,
        "dust": 0.0,
    }


def _draw_disk(rng: np.random.Generator) -> dict[str, Any]:
    spiral = bool(rng.random() < 0.68)
    bulge_fraction = rng.beta(0.9, 4.5) if spiral else rng.beta(2.0, 2.6)
    return {
        "axis_ratio": 1.0,
        "inclination": math.degrees(math.acos(rng.uniform(0, 1))),
        "redness": float(rng.beta(2, 4) if spiral else rng.beta(5, 2)),
        "bulge_fraction": float(bulge_fraction),
        "bulge_sersic": float(rng.uniform(1.0, 3.0)),
        "boxiness": float(rng.beta(0.8, 1.6)),
        "ring_radius": float(rng.uniform(1.3, 2.6)),
        "ring_strength": float(rng.uniform(0.4, 1)) if rng.random() < 0.16 else 0.0,
        "dust": float(rng.beta(1.2, 1.8)),
        **_draw_bar(rng),
        **_draw_arms(rng, spiral=spiral),
    }


def _draw_bar(rng: np.random.Generator) -> dict[str, Any]:
    barred = rng.random() < 0.42
    return {
        "bar_strength": float(rng.uniform(0.15, 1.0)) if barred else 0.0,
        "bar_length": float(rng.uniform(0.8, 1.7)),
    }


def _draw_arms(rng: np.random.Generator, *, spiral: bool) -> dict[str, Any]:
    counts = list(_ARM_COUNT_SHARES)
    return {
        "arm_count": int(rng.choice(counts, p=list(_ARM_COUNT_SHARES.values()))) if spiral else 0,
        "arm_strength": float(rng.uniform(0.35, 1.0)) if spiral else 0.0,
        "pitch_angle": float(np.clip(rng.normal(19, 7), 7, 40)),
        "flocculence": float(rng.beta(1.0, 2.2)),
        "knots": float(rng.beta(1.5, 2.0)) if spiral else 0.0,
    }


def _draw_interaction(rng: np.random.Generator) -> dict[str, Any]:
    stage = rng.random()
    if stage < 0.05:
        disturbance, companion = rng.uniform(0.35, 1.0), rng.uniform(0.3, 1.0)
    elif stage < 0.09:
        disturbance, companion = rng.uniform(0.6, 1.0), 0.0
    elif stage < 0.20:
        disturbance, companion = rng.uniform(0.2, 0.6), 0.0
    else:
        disturbance, companion = 0.12 * rng.random(), 0.0
    return {
        "disturbance": float(disturbance),
        "companion_flux": float(companion),
        "companion_distance": float(rng.uniform(1.0, 2.6)),
    }
