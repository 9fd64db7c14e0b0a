"""The benchmarks' own parts, on tiny input: their tables are measured elsewhere."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlcore.train_config import TrainConfig
from mlcore.tree import DecisionTree

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Return a benchmark's module, in a place without the real images."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(import_module("_galaxies"), "REAL", tmp_path / "nowhere")
    return import_module


@pytest.mark.parametrize("name", ["few_labels", "pretraining", "replay_rounds", "uncertainty"])
def test_say_so_where_the_real_images_are_missing(load, name):
    (row,) = load(name).table()
    assert "not measured" in next(iter(row.values()))


def test_orientations_of_edges_are_told_apart(load):
    upright = np.tile(np.linspace(0, 1, 16) ** 2, (1, 16, 1))
    measured = load("_shape_and_hog")
    across = measured.hog(upright).reshape(4, 9)
    along = measured.hog(upright.transpose(0, 2, 1)).reshape(4, 9)
    assert across.argmax(axis=1).tolist() == [0] * 4
    assert set(along.argmax(axis=1)) <= {4, 5}


def test_shapes_do_not_depend_on_where_the_galaxy_is_turned(load):
    images = np.zeros((1, 32, 32, 3), np.uint8)
    images[:, 12:20, 4:28] = 200
    moments = load("_shape_and_hog")._moments
    there, turned = (
        moments(each.mean(axis=3) / 255) for each in (images, np.rot90(images, 1, (1, 2)))
    )
    assert there == pytest.approx(turned, abs=1e-6)
    assert there[0, -1] > 0.5


def test_scores_by_hand(load):
    tree = DecisionTree.from_dict(
        {
            "slug": "gz",
            "name": "GZ",
            "start": "gz1-class",
            "questions": [
                {
                    "slug": "gz1-class",
                    "text": {"en": "?"},
                    "help": {},
                    "answers": [
                        {"slug": slug, "text": {"en": slug}, "next": None}
                        for slug in ("elliptical", "edge-on", "merger")
                    ],
                }
            ],
        }
    )
    answers, classes = np.array([0, 0, 1, 2, 1]), np.array([0, 0, 0, 1, 1])
    found = load("_galaxies").score(answers, classes, tree)
    assert found == pytest.approx((3 / 5, (2 / 3 + 1 / 2) / 2, 4 / 5))


@pytest.mark.parametrize("path", ["our_path", "bare_step_memory_kept"])
def test_training_speed_is_measured_from_the_steps(load, monkeypatch, tmp_path, path):
    speed = load("training_speed")
    for name, value in {"ENCODER": "test_resnet", "SIZE": 32, "BATCH": 4, "IMAGES": 4}.items():
        monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr(speed, "WARM", 1)
    monkeypatch.setattr(speed, "STEPS", 2)
    tree = DecisionTree.from_file(BENCHMARKS.parents[1] / "fixtures" / "trees" / "gz1.json")
    pictures = [tmp_path / f"{number}.png" for number in range(4)]
    for picture in pictures:
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(picture)
    rates = getattr(speed, path)(pictures, np.ones((4, 6)), tree, tmp_path)
    assert (rates > 0).all()


def test_streaming_is_measured_in_a_process_of_its_own(load):
    row = load("predict_stream")._row(40, killed=False)
    assert row["galaxies"] == "40"
    assert all(float(row[name].replace(",", "")) > 0 for name in row if "peak" in name)


SLOW = """
import sys, time
from pathlib import Path
shards = Path(sys.argv[2], "shards")
shards.mkdir(exist_ok=True)
print('{"before": 1}', flush=True)
for number in range(8):
    if not (shard := shards / f"{number}.parquet").exists():
        shard.touch()
        time.sleep(0.05)
print('{"rate": 20}')
"""


def test_streaming_is_killed_halfway_and_goes_on(load, monkeypatch, tmp_path):
    program = tmp_path / "slow.py"
    program.write_text(SLOW)
    stream = load("predict_stream")
    monkeypatch.setattr(stream, "PROGRAM", str(program))
    row = stream._row(8, killed=True)
    kept, _, written = row["kept after a kill"].removesuffix(" shards").partition(" of ")
    assert 4 <= int(kept) == int(written) <= 8


def test_prediction_is_timed_with_look_alikes_and_without(load, monkeypatch):
    speed = load("predict_speed")
    for name, value in {"GALAXIES": 16, "KNOWN": 16, "TURNS": 1}.items():
        monkeypatch.setattr(speed, name, value)
    monkeypatch.setattr(
        speed,
        "TrainConfig",
        lambda: TrainConfig(encoder="test_resnet", image_size=24, crop_fraction=1.0),
    )
    alone, both = speed.table()
    assert alone["of the network alone"] == "1.00"
    assert float(both["of the network alone"]) > 0


def test_ways_to_spend_votes_are_compared_by_seed(load):
    def score(nats, votes):
        named = ("accuracy", "balanced_accuracy", "binary_accuracy")
        return {"nats": nats, "votes": votes, **dict.fromkeys(named, 1 - nats)}

    def seed(first, each, thin, design):
        arms = {"rounds": design, "control": each, "thin": thin}
        found = {arm: [score(first, 10), score(last, 30)] for arm, last in arms.items()}
        return {
            arm: rounds if arm == "rounds" else {"rounds": rounds} for arm, rounds in found.items()
        }

    rows = load("replay_rounds").rows_of([seed(0.9, 0.6, 0.5, 0.4), seed(0.8, 0.7, 0.5, 0.6)])
    by_way = {row["way"]: row for row in rows}
    assert by_way["all, first round"]["votes"] == "10"
    design, each, thin = (
        by_way[way]
        for way in ("design, vote by vote", "random, 5 votes each", "random, spread thin")
    )
    assert design["votes"] == "30"
    assert design["nats per vote"].startswith("0.500 ±")
    ahead, right, behind = load("replay_rounds").AHEAD
    assert (thin[ahead][:5], each[ahead][:5], design[ahead]) == ("0.000", "0.150", "")
    assert each[right] == each[ahead]
    assert (thin[behind], each[behind]) == ("1, 1", "0, 0")
    assert len({tuple(row) for row in rows}) == 1
