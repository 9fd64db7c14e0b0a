"""Whole rounds, with the default rule, on input that gives little to learn from, or nothing.

Each has a published round before it, whose model and queue must stay as they are.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from mlcore.cnn import hub
from mlcore.cnn.shards import read_shards
from mlcore.errors import FitError, NotEnoughVotesError
from mlcore.round_plan import RoundConfig, RoundPlan
from mlcore.stages import StageFolder
from mlcore.training_round import STAGES, run_round
from mlcore.tree import DecisionTree

from .conftest import TINY_TRAIN

SUBJECTS, LIMIT = 24, 10


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors are faster on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tree():
    def question(slug, answers):
        listed = [
            {"slug": answer, "text": {"en": answer}, "next": following}
            for answer, following in answers.items()
        ]
        return {"slug": slug, "text": {"en": slug}, "help": {}, "answers": listed}

    shape = question("shape", {"round": None, "bar": "bright"})
    questions = [shape, question("bright", {"yes": None, "no": None})]
    document = {"slug": "tiny", "name": "Tiny", "start": "shape", "questions": questions}
    return DecisionTree.from_dict(document)


@pytest.fixture(scope="module")
def config():
    return RoundConfig(
        train=replace(TINY_TRAIN, epochs=1, steps_per_epoch=2, predict_batch_size=64),
        min_training_subjects=2,
        min_held_out_subjects=2,
        bootstrap_draws=100,
        dimensions=4,
        batch=6,
        retirement_votes=LIMIT,
        folds=2,
    )


def differing(row, rng):
    """Return a bar or a blob on noise."""
    pixels = rng.integers(0, 20, (24, 24, 3), dtype=np.uint8)
    pixels[(slice(11, 13), slice(2, 22)) if row % 2 else (slice(8, 16), slice(8, 16))] += 100
    return pixels


def every_one_twice(row, _rng):
    """Return what another galaxy has too."""
    return differing(row % 2, np.random.default_rng(row // 4))


def one_of_two(row, _rng):
    """Return one of two flat images: all galaxies are duplicates."""
    return np.full((24, 24, 3), 40 + 100 * (row % 2), dtype=np.uint8)


def the_same(_row, _rng):
    """Return one flat image: no representation differs from another."""
    return np.full((24, 24, 3), 40, dtype=np.uint8)


def votes(n, voted, *, of=((6, 0, 0, 0), (0, 6, 4, 2))):
    """Return the votes (n, 4) of which the first `voted` galaxies have some, in turn as `of`."""
    rows = [of[row % len(of)] if row < voted else (0, 0, 0, 0) for row in range(n)]
    return np.array(rows, dtype=np.int32)


def begin(directory, tree, counts, draw):
    """Write the input of a round: images, and a table with every fourth galaxy in the panel."""
    n, rng = len(counts), np.random.default_rng(0)
    (directory / "input").mkdir(parents=True)
    files = [str(directory / f"{row}.png") for row in range(n)]
    for row, file in enumerate(files):
        Image.fromarray(draw(row, rng)).save(file)
    columns = {
        "id_str": [f"s:{row}" for row in range(n)],
        "file_loc": files,
        "control": np.arange(n) % 4 == 0,
        "retired": np.zeros(n, dtype=bool),
        "pending": np.zeros(n, dtype=np.int32),
        **dict(zip(tree.label_cols, counts.T, strict=True)),
    }
    pq.write_table(pa.table(columns), directory / "input" / "subjects.parquet")
    return directory


@pytest.fixture(scope="module")
def published(tree, config, tmp_path_factory):
    """A round on good input, finished."""
    folder = tmp_path_factory.mktemp("published")
    directory = begin(folder / "round", tree, votes(SUBJECTS, 20), differing)
    run_round(RoundPlan(tree, 3, config, folder / "shared"), directory)
    return directory


@pytest.fixture
def next_round(tree, config, published, tmp_path):
    """Run a round after the published one, which must stay whole whatever happens."""

    def next_round(counts, draw=differing, **train):
        shared = tmp_path / "shared"
        shutil.copytree(published.parent / "shared", shared)
        plan = RoundPlan(
            tree,
            4,
            replace(config, train=replace(config.train, **train)),
            shared,
            previous_model=published / "train" / "model",
        )
        return run_round(plan, begin(tmp_path / "round", tree, counts, draw))

    yield next_round
    for stage in STAGES:
        assert StageFolder(published / stage.name).verified() is not None


@dataclass(frozen=True)
class Poor:
    """Input that a round goes through with, and the rule and trouble that it tells of."""

    counts: np.ndarray = field(default_factory=lambda: votes(SUBJECTS, 20))
    draw: Callable = differing
    rule: str = "design"
    told: str = ""


POOR = {
    "one class": Poor(votes(SUBJECTS, 20, of=((0, 6, 4, 2), (0, 6, 2, 4)))),
    "one answer": Poor(votes(SUBJECTS, 20, of=((6, 0, 0, 0),))),
    "three galaxies to learn from": Poor(votes(6, 6)),
    "one vote each": Poor(votes(SUBJECTS, 20, of=((1, 0, 0, 0), (0, 1, 1, 0)))),
    "duplicates": Poor(draw=every_one_twice),
    "two images": Poor(draw=one_of_two, rule="random", told="2 distinct galaxies with votes"),
    "all the same": Poor(draw=the_same, rule="random", told="representations must have"),
}


@pytest.mark.parametrize("poor", POOR.values(), ids=POOR)
def test_a_round_goes_to_its_end_and_its_queue_is_whole(next_round, tree, poor):
    result = next_round(poor.counts, poor.draw)
    acquired = result.records["acquire"].result
    assert acquired["rule"] == poor.rule
    assert poor.told in acquired["fallback"]
    queue = pq.read_table(result.directory / "acquire" / "queue.parquet").to_pydict()
    assert sorted(queue["id_str"]) == sorted(f"s:{row}" for row in range(len(poor.counts)))
    assert queue["rank"] == list(range(len(poor.counts)))
    assert np.isfinite(queue["score"]).all()
    assert all(1 <= wanted <= LIMIT for wanted in queue["votes_wanted"])
    # Where chance chooses there is no batch: all are asked about, a vote each.
    assert bool(acquired["batch"]) == (acquired["rule"] == "design")
    for shard in read_shards(result.directory / "predict"):
        assert shard.label_cols == tuple(tree.label_cols)
        assert np.isfinite(shard.predictions.concentrations).all()
        assert (shard.predictions.concentrations > 0).all()


HOPELESS = {
    "no votes": (votes(SUBJECTS, 0), {}, NotEnoughVotesError, "training galaxies .* are 0"),
    "three galaxies": (votes(3, 3), {}, NotEnoughVotesError, "held_out .* at least 2, are 1"),
    "learning diverges": (
        votes(SUBJECTS, 20),
        {"learning_rate": 1e12},
        FitError,
        r"learning_rate must be .*, is 1e\+12: by step 2",
    ),
    "pretraining diverges": (
        votes(SUBJECTS, 20),
        {"pretrain_learning_rate": 1e12},
        FitError,
        r"pretrain_learning_rate must be .*, is 1e\+12: by step 2",
    ),
}


@pytest.mark.parametrize("hopeless", HOPELESS.values(), ids=HOPELESS)
def test_a_round_is_refused_with_a_word_and_leaves_no_model(next_round, tmp_path, hopeless):
    counts, settings, error, told = hopeless
    with pytest.raises(error, match=told):
        next_round(counts, **settings)
    assert not (tmp_path / "round" / "train" / "model").exists()
    assert not (tmp_path / "round" / "acquire").exists()


def test_pretraining_that_diverged_is_no_later_rounds_start(next_round, published, tmp_path):
    before = (published.parent / "shared" / "pretrained" / "encoder.safetensors").read_bytes()
    with pytest.raises(FitError):
        next_round(votes(SUBJECTS, 20), pretrain_learning_rate=1e12)
    kept = tmp_path / "shared" / "pretrained"
    assert (kept / "encoder.safetensors").read_bytes() == before


def test_a_hub_that_gives_nothing_is_asked_once_in_a_round(next_round, monkeypatch):
    asked = []

    def ask(repository, _should_stop):
        asked.append(repository)
        return "nothing came for 20 s"

    monkeypatch.setattr(hub, "_ask", ask)
    result = next_round(votes(SUBJECTS, 20), encoder="hf_hub:mwalmsley/zoobot-encoder-test_resnet")
    assert asked == ["mwalmsley/zoobot-encoder-test_resnet"]
    origin = result.records["train"].result["origin"]
    assert origin["source"] == "pretrained-here"
    assert "the hub gave no weights (nothing came for 20 s)" in origin["reason"]
