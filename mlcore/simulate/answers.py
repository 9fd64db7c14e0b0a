"""What a crowd would answer about a drawn galaxy, question by question.

The fractions are those of a large crowd of ordinary volunteers, each question
taken as if it were asked. They follow from the galaxy's parameters through soft
thresholds: a strong bar in a bright galaxy is agreed on, a weak bar in a faint,
blurred or tilted one is not, and what cannot be seen is called smooth. Even the
plainest galaxy keeps a few per cent of slips, as real votes do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mlcore.errors import InvalidInputError
from mlcore.simulate.galaxies import ARTIFACT, DISK, GalaxyTruth, soft_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlcore.tree import DecisionTree

Fractions: TypeAlias = dict[str, float]
Rule: TypeAlias = Callable[[GalaxyTruth], Fractions]

_SLIPS = 0.03


def answer_fractions(truth: GalaxyTruth, tree: DecisionTree) -> NDArray[np.float64]:
    """Return the expected vote fractions of every answer of a tree.

    Parameters
    ----------
    truth
        The galaxy.
    tree
        One of `KNOWN_TREES`, recognised by its slug.

    Returns
    -------
    Array of shape (A,), in the order of ``tree.label_cols``. Each question sums to
    1, asked or not; none is 0, none is NaN.

    Raises
    ------
    InvalidInputError
        For a tree of another slug, or one whose questions or answers are not those
        of the published tree.
    """
    rules = _RULES.get(tree.slug)
    if rules is None:
        known = ", ".join(KNOWN_TREES)
        raise InvalidInputError(f"tree must be one of {known}, is {tree.slug!r}")
    fractions = np.empty(len(tree.label_cols))
    for question in tree.questions:
        found = _rule(rules, tree.slug, question.slug)(truth)
        answers = [answer.slug for answer in question.answers]
        if set(answers) != set(found):
            raise InvalidInputError(
                f"answers of question {question.slug!r} of {tree.slug!r} "
                f"must be {sorted(found)}, are {answers}"
            )
        fractions[tree.question_slices[question.slug]] = _with_slips(
            [found[answer] for answer in answers]
        )
    return fractions


def _rule(rules: Mapping[str, Rule], tree_slug: str, question_slug: str) -> Rule:
    rule = rules.get(question_slug, rules.get(_ANY_QUESTION))
    if rule is None:
        raise InvalidInputError(
            f"questions of {tree_slug!r} must be among {', '.join(rules)}, has {question_slug!r}"
        )
    return rule


def _with_slips(fractions: list[float]) -> NDArray[np.float64]:
    clean: NDArray[np.float64] = np.maximum(fractions, 0.0)
    return np.asarray((1 - _SLIPS) * clean / clean.sum() + _SLIPS / len(clean))


def _yes_no(probability: float) -> Fractions:
    return {"yes": probability, "no": 1 - probability}


def _ordered(value: float, cuts: Mapping[str, float], last: str, softness: float) -> Fractions:
    """Split answers along a scale: each name holds up to its cut, `last` what is beyond."""
    beyond, fractions = 1.0, {}
    for name, cut in cuts.items():
        above = min(beyond, soft_step(value, cut, softness))
        fractions[name] = beyond - above
        beyond = above
    return fractions | {last: beyond}


def _haze(truth: GalaxyTruth) -> float:
    """Factor by which thresholds soften as the galaxy gets harder to see, from 1 to 3."""
    return 3 - 2 * truth.visibility


def _edge_on(truth: GalaxyTruth) -> float:
    if truth.kind != DISK:
        return 0.02 + 0.5 * soft_step(truth.axis_ratio, 0.3, -0.03)
    return soft_step(truth.inclination, 77.0, 2.2 * _haze(truth))


def _face_on(truth: GalaxyTruth) -> float:
    """How well the disk's plane can be seen into: 1 face-on, 0 from the side."""
    return soft_step(truth.inclination, 73.0, -3.5)


def _seen(truth: GalaxyTruth, strength: float) -> float:
    return strength * truth.visibility * _face_on(truth)


def _bar_seen(truth: GalaxyTruth) -> float:
    return _seen(truth, truth.bar_strength * (1 - 0.5 * truth.bulge_fraction))


def _arms_seen(truth: GalaxyTruth) -> float:
    return _seen(truth, truth.arm_strength * (1 - 0.6 * truth.bulge_fraction))


def _ring_seen(truth: GalaxyTruth) -> float:
    return _seen(truth, truth.ring_strength * (1 - 0.6 * truth.bulge_fraction))


def _features(truth: GalaxyTruth) -> float:
    """How much there is to see beyond a smooth glow, about 0 to 1."""
    odd = 0.7 * truth.disturbance * truth.visibility
    if truth.kind != DISK:
        return 0.6 * odd
    thin = 0.9 * _edge_on(truth) * (0.4 + 0.6 * truth.visibility) * (1 - 0.7 * truth.bulge_fraction)
    return max(thin, _arms_seen(truth), 0.8 * _bar_seen(truth), 0.9 * _ring_seen(truth), odd)


def _spoilt(truth: GalaxyTruth) -> float:
    """How many call it an artifact."""
    if truth.kind != ARTIFACT:
        return 0.01 + 0.09 * (1 - truth.visibility)
    return {"blank": 0.85, "star": 0.92, "ghost": 0.75}.get(truth.artifact, 0.68)


def _first_question(names: tuple[str, str, str]) -> Rule:
    smooth, featured, artifact = names

    def rule(truth: GalaxyTruth) -> Fractions:
        spoilt = _spoilt(truth)
        seen = (1 - spoilt) * soft_step(_features(truth), 0.33, 0.075 * _haze(truth))
        return {smooth: 1 - spoilt - seen, featured: seen, artifact: spoilt}

    return rule


def _rounded(truth: GalaxyTruth) -> Fractions:
    # Blur rounds what is small.
    blur = (0.3 * truth.seeing / truth.radius) ** 2
    ratio = ((truth.seen_axis_ratio**2 + blur) / (1 + blur)) ** 0.5
    return _ordered(ratio, {"cigar-shaped": 0.45, "in-between": 0.76}, "round", 0.045)


def _edge_on_bulge(truth: GalaxyTruth) -> Fractions:
    seen = soft_step(truth.bulge_fraction, 0.09, 0.02 * _haze(truth))
    squared = soft_step(truth.boxiness, 0.55, 0.1 * _haze(truth))
    boxy = seen * squared * (0.4 + 0.6 * truth.visibility)
    return {"rounded": seen - boxy, "boxy": boxy, "none": 1 - seen}


def _bar(truth: GalaxyTruth) -> Fractions:
    return _ordered(_bar_seen(truth), {"no": 0.18, "weak": 0.45}, "strong", 0.06)


def _has_bar(truth: GalaxyTruth) -> Fractions:
    return _yes_no(1 - _bar(truth)["no"])


def _has_arms(truth: GalaxyTruth) -> Fractions:
    return _yes_no(soft_step(_arms_seen(truth), 0.24, 0.06))


def _winding(truth: GalaxyTruth) -> Fractions:
    cuts = {"tight": 15.0, "medium": 23.0}
    return _ordered(truth.pitch_angle, cuts, "loose", 1.8 * _haze(truth))


def _arm_count(truth: GalaxyTruth) -> Fractions:
    """Neighbouring counts are confused, the more so the more there are."""
    counts = np.arange(1, 8)
    spread = 0.22 + 0.07 * truth.arm_count + 0.3 * (_haze(truth) - 1)
    shares = np.exp(-0.5 * ((counts - truth.arm_count) / spread) ** 2) + 1e-9
    shares /= shares.sum()
    lost = soft_step(truth.flocculence + 0.4 * (1 - _arms_seen(truth)), 0.72, 0.08)
    named = {str(count): (1 - lost) * float(shares[count - 1]) for count in range(1, 5)}
    return named | {"more-than-4": (1 - lost) * float(shares[4:].sum()), "cant-tell": lost}


_BULGE_CUTS = MappingProxyType({"none": 0.04, "small": 0.16, "moderate": 0.38, "large": 0.62})


def _bulge_size(truth: GalaxyTruth) -> Fractions:
    # People judge sizes on a scale nearer to the root of the light's share.
    cuts = {name: cut**0.5 for name, cut in _BULGE_CUTS.items()}
    return _ordered(truth.bulge_fraction**0.5, cuts, "dominant", 0.03 * _haze(truth))


def _bulge_prominence(truth: GalaxyTruth) -> Fractions:
    sizes = _bulge_size(truth)
    obvious = sizes["moderate"] + sizes["large"]
    return {
        "no": sizes["none"],
        "just-noticeable": sizes["small"],
        "obvious": obvious,
        "dominant": sizes["dominant"],
    }


def _merging(truth: GalaxyTruth) -> Fractions:
    near = soft_step(truth.companion_distance, 2.6, -0.3)
    pair = soft_step(truth.companion_flux, 0.25, 0.05) * near * (0.5 + 0.5 * truth.visibility)
    seen = truth.disturbance * (0.35 + 0.65 * truth.visibility)
    cuts = {"none": 0.27, "minor-disturbance": 0.52}
    alone = _ordered(seen, cuts, "major-disturbance", 0.05)
    return {name: (1 - pair) * share for name, share in alone.items()} | {"merger": pair}


def _is_odd(truth: GalaxyTruth) -> Fractions:
    merging = _merging(truth)
    return _yes_no(max(1 - merging["none"], _ring(truth)["yes"], 0.6 * _dusty(truth)))


def _ring(truth: GalaxyTruth) -> Fractions:
    return _yes_no(soft_step(_ring_seen(truth), 0.26, 0.06))


def _dusty(truth: GalaxyTruth) -> float:
    return _edge_on(truth) * soft_step(truth.dust * truth.visibility, 0.6, 0.07)


def _odd_feature(truth: GalaxyTruth) -> Fractions:
    merging = _merging(truth)
    return {
        "ring": _ring(truth)["yes"],
        "lens-or-arc": 0.01,
        "disturbed": merging["major-disturbance"],
        "irregular": 0.8 * merging["minor-disturbance"],
        "other": 0.05,
        "merger": merging["merger"],
        "dust-lane": 0.6 * _dusty(truth),
    }


def _galaxy_zoo_1(truth: GalaxyTruth) -> Fractions:
    """Six classes; shares are taken in turn: artifact, merger, edge-on, spiral, elliptical."""
    merging = _merging(truth)
    merger = 0.95 * merging["merger"] + 0.25 * merging["major-disturbance"]
    unclear = min(0.9, _spoilt(truth) + 0.12 * (1 - truth.visibility))
    thin = _edge_on(truth) if truth.kind == DISK else soft_step(truth.axis_ratio, 0.33, -0.04)
    left = (1 - unclear) * (1 - merger)
    spiral = left * (1 - thin) * soft_step(max(_arms_seen(truth), _ring_seen(truth)), 0.3, 0.07)
    agreed = 0.5 + 0.48 * soft_step(_arms_seen(truth) * (1 - truth.flocculence), 0.25, 0.08)
    clockwise = agreed if truth.clockwise else 1 - agreed
    return {
        "elliptical": left * (1 - thin) - spiral,
        "spiral-clockwise": spiral * clockwise,
        "spiral-anticlockwise": spiral * (1 - clockwise),
        "edge-on": left * thin,
        "merger": (1 - unclear) * merger,
        "dont-know": unclear,
    }


def _bulge_shape(truth: GalaxyTruth) -> Fractions:
    seen = _edge_on_bulge(truth)
    return {"round": seen["rounded"], "boxy": seen["boxy"], "no-bulge": seen["none"]}


def _rounded_gz2(truth: GalaxyTruth) -> Fractions:
    seen = _rounded(truth)
    return {"cigar": seen.pop("cigar-shaped")} | seen


_ZOO_FIRST = _first_question(("smooth", "featured-or-disk", "artifact"))
_ANY_QUESTION = "*"
_SHARED: dict[str, Rule] = {
    "smooth-or-featured": _ZOO_FIRST,
    "disk-edge-on": lambda truth: _yes_no(_edge_on(truth)),
    "has-spiral-arms": _has_arms,
    "spiral-winding": _winding,
    "spiral-arm-count": _arm_count,
}
_RULES: Mapping[str, Mapping[str, Rule]] = MappingProxyType(
    {
        "gz-decals-5": _SHARED
        | {
            "how-rounded": _rounded,
            "edge-on-bulge": _edge_on_bulge,
            "bar": _bar,
            "bulge-size": _bulge_size,
            "merging": _merging,
        },
        "gz2": _SHARED
        | {
            "how-rounded": _rounded_gz2,
            "bar": _has_bar,
            "bulge-size": _bulge_prominence,
            "bulge-shape": _bulge_shape,
            "something-odd": _is_odd,
            "odd-feature": _odd_feature,
        },
        # One question each: its own slug does not matter.
        "gz1": {_ANY_QUESTION: _galaxy_zoo_1},
        "yes-no": {_ANY_QUESTION: _ring},
    }
)
KNOWN_TREES = tuple(_RULES)
