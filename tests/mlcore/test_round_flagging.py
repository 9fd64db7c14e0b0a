"""What experts are shown beside the votes to doubt."""

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import numpy as np

from mlcore.gp.mislabels import MislabelCandidate
from mlcore.round_flagging import Judged, find_alike


def judged(winding):
    """Galaxies in a row, nearest to the first in order, with these votes on the winding."""
    counts = np.hstack([np.zeros((len(winding), 2)), winding])
    features = np.arange(len(winding), dtype=np.float64)[:, None]
    ids = [f"s:{number}" for number in range(len(winding))]
    return Judged(ids, np.arange(len(winding)), counts, features)


def test_look_alikes_are_those_on_which_more_than_half_gave_the_expected_answer(handed_tree):
    flagged = MislabelCandidate(
        id_str="s:0",
        question="winding",
        p_value=0.01,
        q_value=0.01,
        score=4.0,
        n_votes=4,
        observed={"clockwise": 0.0, "anticlockwise": 1.0, "unsure": 0.0},
        expected={"clockwise": 0.9, "anticlockwise": 0.1, "unsure": 0.0},
        reason="",
    )
    votes = [[0, 4, 0], [2, 2, 0], [3, 1, 0], [2, 1, 1], [0, 0, 0], [2, 1, 0]]
    assert find_alike(judged(votes), [flagged], handed_tree) == [["s:2", "s:5"]]
