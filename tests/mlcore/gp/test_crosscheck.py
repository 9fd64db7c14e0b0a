from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mlcore.cnn.rings import ring_features
from mlcore.errors import InvalidInputError
from mlcore.gp.crosscheck import check_labels, match_ids, match_positions
from mlcore.gp.predictive import certain_counts
from mlcore.gp.reduce import Reducer
from mlcore.simulate.galaxies import DISK, draw_truth
from mlcore.simulate.render import render


def test_ids_are_matched():
    assert match_ids(["a", "b", "c"], ["c", "a"]).tolist() == [1, -1, 0]
    assert match_ids([], ["a"]).tolist() == []
    with pytest.raises(InvalidInputError, match="others must be unique, 1 are repeated"):
        match_ids(["a"], ["b", "b"])


SKY = st.lists(st.tuples(st.floats(0, 360), st.floats(-90, 90)), min_size=1, max_size=12)


@given(SKY, SKY, st.floats(1, 500_000))
@settings(deadline=None, max_examples=50)
def test_positions_are_matched_as_by_measuring_every_distance(ours, theirs, radius):
    def unit(positions):
        ra, dec = np.radians(np.array(positions)).T
        return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)

    chords = np.linalg.norm(unit(ours)[:, None] - unit(theirs)[None], axis=2)
    apart = np.degrees(2 * np.arcsin(np.clip(chords / 2, 0, 1))) * 3600
    for row, place in enumerate(match_positions(ours, theirs, radius)):
        if place >= 0:
            assert apart[row, place] <= min(radius, apart[row].min()) + 1e-3
        else:
            assert apart[row].min() >= radius - 1e-3


def test_across_the_meridian_is_near():
    assert match_positions([[359.9999, 0.0]], [[180.0, 0.0], [0.0001, 0.0]], 1.0).tolist() == [1]
    assert match_positions(np.empty((0, 2)), [[0.0, 0.0]], 1.0).tolist() == []
    assert match_positions([[0.0, 0.0]], np.empty((0, 2)), 1.0).tolist() == [-1]


@pytest.mark.parametrize(
    ("ours", "radius", "message"),
    [
        ([[0.0, 91.0]], 1.0, "declinations from -90 to 90"),
        ([[np.nan, 0.0]], 1.0, "positions must be finite"),
        ([[0.0, 0.0, 0.0]], 1.0, "positions must have 2 columns, has 3"),
        ([[0.0, 0.0]], 0.0, "radius_arcsec must be finite and above 0, is 0.0"),
    ],
)
def test_what_is_not_on_the_sky_is_refused(ours, radius, message):
    with pytest.raises(InvalidInputError, match=message):
        match_positions(ours, [[0.0, 0.0]], radius)


def test_a_galaxy_without_a_better_image_is_not_judged(one_question):
    counts = certain_counts([0] * 30 + [1], 2)
    predictions = np.tile([0.99, 0.01], (31, 1))
    match = np.arange(31)
    ids = [f"g{i}" for i in range(31)]
    everything = {"false_discovery_rate": 1.0}
    found = check_labels(ids, counts, match, predictions, one_question(2), **everything)
    assert found[0].id_str == "g30"
    match[30] = -1
    found = check_labels(ids, counts, match, predictions, one_question(2), **everything)
    assert "g30" not in [each.id_str for each in found]
    with pytest.raises(InvalidInputError, match="match must be from -1 to 30"):
        check_labels(ids, counts, match + 2, predictions, one_question(2))


def _images(truths):
    return np.stack([render(truth, 32) for truth in truths])


def test_deep_images_show_which_labels_of_blurred_ones_were_wrong(one_question):
    truths = [draw_truth(31, index) for index in range(400)]
    kinds = np.array([int(truth.kind == DISK) for truth in truths])
    deep = [replace(truth, seeing=0.6, depth=truth.depth + 2.3) for truth in truths]
    poor = [replace(truth, seeing=3.0, depth=truth.depth - 1.9) for truth in truths]
    features = {}
    for name, drawn in (("deep", deep), ("poor", poor)):
        rings = ring_features(_images(drawn), np.arange(400))
        features[name] = Reducer.fit(rings, max_dimensions=20).transform(rings)
    # What people said of the poor images; a model of other galaxies' deep ones knows better.
    old = LogisticRegression(max_iter=500).fit(features["poor"][:150], kinds[:150])
    labels = old.predict(features["poor"][150:])
    new = LogisticRegression(max_iter=500).fit(features["deep"][:150], kinds[:150])
    predictions = new.predict_proba(features["deep"][150:])
    wrong = labels != kinds[150:]
    ids = [str(index) for index in range(250)]
    found = check_labels(
        ids,
        certain_counts(labels, 2),
        match_ids(ids, ids),
        predictions,
        one_question(2),
        false_discovery_rate=1.0,
        review_budget=20,
    )
    confirmed = np.mean([wrong[int(each.id_str)] for each in found])
    assert wrong.mean() < 0.5
    assert confirmed > 1.5 * wrong.mean()
