"""The encoder kept between rounds: who is served by it, and what it goes on from."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load, save_file

from mlcore.cnn.pretrain import pretrain
from mlcore.cnn.weights import file_sha256
from mlcore.errors import CancelledError, FitError
from mlcore.images import ImageCache
from mlcore.round_encoder import pretrained, similarity, sketch
from mlcore.round_files import RoundFiles
from mlcore.round_plan import RoundConfig, RoundPlan


def survey(cache, rows):
    """Return some of the galaxies as a survey."""
    rows = np.asarray(rows)
    names = tuple(cache.ids[row] for row in rows)
    return ImageCache(cache.images[rows], names, cache.size, cache.crop_fraction)


@pytest.fixture
def learn(handed_tree, config, tmp_path):
    """Return a function that has a round of some survey pretrain its encoder."""

    def start(images, *, should_stop=None, **settings):
        plan = RoundPlan(handed_tree, 5, RoundConfig(train=replace(config, **settings)), tmp_path)
        files = RoundFiles(plan, tmp_path / "round", None, should_stop)
        return pretrained(files, images, "train", 0.0, 1.0)

    return start


def weights_of(path):
    """Return what a file holds, by value: the file may be damaged afterwards."""
    return load(path.read_bytes())


def same(one, other):
    """Whether two encoders are the same numbers."""
    return all((one[name] == other[name]).all() for name in one)


def test_a_survey_that_hardly_grows_keeps_its_encoder(learn, cache):
    weights = weights_of(learn(survey(cache, range(32))))
    grown = learn(cache)  # 32 of 40 is four in five
    assert same(weights_of(grown), weights)
    assert not (grown.parent / "earlier.safetensors").exists()


def test_a_survey_that_grows_goes_on_from_its_encoder(learn, cache, config, tmp_path):
    first = learn(survey(cache, range(31)))
    kept = tmp_path / "kept.safetensors"
    kept.write_bytes(first.read_bytes())
    grown = weights_of(learn(cache))
    again = pretrain(cache, config, directory=tmp_path / "by-hand", seed=0, start_from=kept)
    assert same(grown, weights_of(again))
    assert not same(grown, weights_of(kept))
    assert same(weights_of(learn(cache)), grown)


def test_another_survey_as_large_is_not_served(learn, cache):
    first = weights_of(learn(survey(cache, range(20))))
    assert not same(weights_of(learn(survey(cache, range(20, 40)))), first)


def test_other_settings_begin_anew(learn, cache, config, tmp_path):
    learn(cache)
    longer = weights_of(learn(cache, pretrain_steps=6))
    by_hand = replace(config, pretrain_steps=6)
    anew = pretrain(cache, by_hand, directory=tmp_path / "by-hand", seed=0)
    assert same(longer, weights_of(anew))


def test_a_damaged_encoder_is_made_again(learn, cache):
    path = learn(cache)
    weights = weights_of(path)
    path.write_bytes(path.read_bytes()[:-9])
    assert same(weights_of(learn(cache)), weights)


def test_one_that_is_not_finite_is_made_again_and_gone_on_from_by_nobody(learn, cache):
    path = learn(survey(cache, range(20)))
    tensors = weights_of(path)
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name] * float("nan")}, path)
    note = path.with_suffix(".survey.json")
    # As an earlier version left it, which looked at the checksum alone.
    known = {**json.loads(note.read_text()), "sha256": file_sha256(path)}
    note.write_text(json.dumps(known))
    grown = learn(cache)
    assert all(tensor.isfinite().all() for tensor in weights_of(grown).values())
    assert not (path.parent / "earlier.safetensors").exists()


def test_pretraining_that_comes_to_nothing_leaves_the_encoder_before_it(learn, cache):
    path = learn(cache)
    whole = path.read_bytes()
    with pytest.raises(FitError, match="pretrain_learning_rate must be small"):
        learn(cache, pretrain_learning_rate=1e12)
    assert path.read_bytes() == whole
    assert learn(cache).read_bytes() == whole


def test_a_damaged_note_costs_nothing(learn, cache):
    path = learn(cache)
    weights = weights_of(path)
    (path.parent / "encoder.survey.json").write_text('{"settings": 1')
    assert same(weights_of(learn(cache)), weights)


@pytest.mark.parametrize("after", [0, 3])
def test_a_kill_while_it_goes_on_changes_nothing(learn, cache, monkeypatch, stop_after, after):
    monkeypatch.setattr("mlcore.cnn.pretrain._CHECKPOINT_STEPS", 2)
    first = learn(survey(cache, range(20)))
    start = first.read_bytes()
    with pytest.raises(CancelledError):
        learn(cache, should_stop=stop_after(after))
    stopped = weights_of(learn(cache))
    assert (first.parent / "earlier.safetensors").read_bytes() == start
    for path in first.parent.iterdir():
        path.unlink()
    learn(survey(cache, range(20)))
    assert same(stopped, weights_of(learn(cache)))


def test_none_is_made_where_none_is_asked_for(learn, cache):
    assert learn(cache, pretrain_steps=0) is None


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (5, 5), (30, 100), (200, 300)])
def test_the_similarity_of_small_surveys_is_exact(old, new):
    one, other = ({f"g{number}" for number in range(n)} for n in (old, new))
    both = len(one & other) / len(one | other) if one | other else 1.0
    assert similarity(sketch(list(one)), sketch(list(other))) == pytest.approx(both)


def test_the_similarity_of_large_surveys_is_about_right():
    chance = random.Random(3)
    for share in (0.2, 0.5, 0.8, 0.95):
        names = [str(chance.random()) for _ in range(20_000)]
        part = names[: round(share * len(names))]
        assert similarity(sketch(part), sketch(names)) == pytest.approx(share, abs=0.07)
        assert similarity(sketch(names), sketch(names[::-1])) == 1.0
