"""A small survey whose features tell most of the answer."""

import numpy as np

from mlcore.gp.vote_regression import RegressionConfig
from mlcore.simulate.votes_replay import VotesPlan
from mlcore.simulate.votes_survey import VoteSurvey
from tests.mlcore.conftest import make_tree

TREE = make_tree(
    {
        "shape": {"round": None, "disk": "arms", "artifact": None},
        "arms": {"yes": None, "no": None},
    }
)


def make_survey(number=240, seed=0):
    """Galaxies whose first two features are how much of a disk, and of arms, they have."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(number, 4))
    disk, arms = 1 / (1 + np.exp(-3 * features[:, :2].T))
    fractions = np.stack([0.95 * (1 - disk), 0.95 * disk, 0.05 + 0 * disk, arms, 1 - arms], axis=1)
    return VoteSurvey("small", TREE, features, fractions, np.arange(number) % 4 == 0)


def small_plan(**changes):
    config = RegressionConfig(landmarks=24)
    return VotesPlan(**{"pool": 120, "first": 60, "growth": 2.0, "config": config, **changes})
