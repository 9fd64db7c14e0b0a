"""Where a round's votes are placed, next to those that are promised."""

from pathlib import Path

import numpy as np
import pytest

from mlcore.round_design import place_votes
from mlcore.round_plan import RoundConfig, RoundPlan
from mlcore.round_survey import Survey

N, VOTED = 800, 60


@pytest.fixture
def kind():
    """The last tenth of the survey is of a kind of its own."""
    return np.arange(N) >= 0.9 * N


@pytest.fixture
def place(handed_tree, kind, monkeypatch):
    """Return a function that places 40 votes, from the votes promised of each galaxy.

    It returns the galaxies and the votes placed on each. Ten galaxies without votes are offered.
    """
    monkeypatch.setattr("mlcore.round_design.OFFERED", 10)
    rng = np.random.default_rng(0)
    looks = rng.standard_normal((N, 4)).astype(np.float32)
    looks[kind, 0] += 8.0
    votes = np.where(np.arange(N) < VOTED, 5, 0)
    counts = np.zeros((VOTED, 5))
    counts[:, 0] = rng.binomial(5, 0.5, VOTED)
    counts[:, 1] = 5 - counts[:, 0]
    plan = RoundPlan(handed_tree, 0, RoundConfig(batch=8, expected_votes=5), Path())
    nobody = np.zeros(N, dtype=bool)

    def place_(promised):
        survey = Survey(
            ids=tuple(map(str, range(N))),
            control=nobody,
            retired=nobody,
            votes=votes,
            pending=promised,
            received=votes,
            labelled=np.arange(VOTED),
            counts=counts,
            concentrations=counts,
            top=np.zeros(N, dtype=np.intp),
            representations=looks,
        )
        rows, wanted = place_votes(plan, survey, np.arange(N), lambda each: each.astype(float))
        return rows, wanted - promised[rows]

    return place_


def test_votes_promised_on_galaxies_that_are_not_offered_count(place, kind):
    before, placed_before = place(np.zeros(N, dtype=np.int64))
    after, placed_after = place(np.where(kind, 4, 0))
    assert placed_before.sum() == placed_after.sum() == 40
    assert placed_after[kind[after]].sum() < 0.5 * placed_before[kind[before]].sum()


def test_a_promise_offers_no_galaxy(place, monkeypatch):
    monkeypatch.setattr("mlcore.round_design.OFFERED", 3)
    rows, placed = place(np.where(np.arange(N) < VOTED, 0, 1))
    assert placed.sum() == 40
    assert (rows >= VOTED).sum() <= 3


def test_of_many_promises_some_are_drawn(place, kind, monkeypatch):
    promised = np.where(kind, 4, 0)
    every, placed_next_to_every = place(promised)
    monkeypatch.setattr("mlcore.round_design.OWED", 5)
    some, placed_next_to_some = place(promised)
    assert placed_next_to_some.sum() == 40
    assert placed_next_to_some[kind[some]].sum() > placed_next_to_every[kind[every]].sum()
