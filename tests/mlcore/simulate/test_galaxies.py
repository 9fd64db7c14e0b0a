from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import InvalidInputError
from mlcore.simulate.galaxies import ARTIFACTS, KIND_SHARES, draw_truth, soft_step

SEEDS = st.integers(0, 2**32)
INDICES = st.integers(0, 2**32)


@given(SEEDS, INDICES)
def test_a_galaxy_depends_on_its_seed_and_number_alone(seed, index):
    assert draw_truth(seed, index) == draw_truth(seed, index)


def test_other_seeds_and_numbers_give_other_galaxies():
    galaxies = {draw_truth(seed, index) for seed in range(5) for index in range(5)}

    assert len(galaxies) == 25


@given(SEEDS, INDICES)
def test_parameters_stay_within_their_documented_bounds(seed, index):
    truth = draw_truth(seed, index)

    assert 0 <= truth.ra < 360
    assert -90 <= truth.dec <= 90
    assert 0 < truth.seeing < truth.field_of_view
    assert 0 < truth.radius < truth.field_of_view / 4
    assert 0 < truth.seen_axis_ratio <= 1
    assert 0 < truth.visibility < 1
    assert truth.redshift > 0
    strengths = (
        truth.redness, truth.bulge_fraction, truth.boxiness, truth.bar_strength,
        truth.arm_strength, truth.flocculence, truth.ring_strength, truth.knots, truth.dust,
        truth.disturbance, truth.companion_flux,
    )  # fmt: skip
    assert all(0 <= strength <= 1 for strength in strengths)


def test_kinds_come_in_their_shares():
    kinds = [draw_truth(1, index).kind for index in range(3000)]

    for kind, share in KIND_SHARES.items():
        assert kinds.count(kind) / 3000 == pytest.approx(share, abs=0.03)


def test_only_artifacts_have_an_artifact():
    galaxies = [draw_truth(1, index) for index in range(1000)]

    assert all((truth.artifact in ARTIFACTS) == (truth.kind == "artifact") for truth in galaxies)


def test_a_small_galaxy_is_harder_to_see():
    truth = draw_truth(0, 0)

    assert replace(truth, radius=0.5 * truth.radius).visibility < truth.visibility
    assert replace(truth, depth=truth.depth - 2).visibility < truth.visibility


def test_a_truth_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        draw_truth(0, 0).kind = "disk"


@pytest.mark.parametrize(("seed", "index", "name"), [(-1, 0, "seed"), (0, -1, "index")])
def test_negative_numbers_are_refused_by_name(seed, index, name):
    with pytest.raises(InvalidInputError, match=f"{name} must be at least 0, is -1"):
        draw_truth(seed, index)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_a_soft_step_stays_between_0_and_1_and_is_half_at_its_threshold(value, cut, softness):
    assert 0 <= soft_step(value, cut, softness) <= 1
    assert soft_step(cut, cut, softness) == pytest.approx(0.5)
