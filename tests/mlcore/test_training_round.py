"""A whole round over files: forty drawn images, a tiny network, every way to stop it."""

import json
import os
import shutil
from dataclasses import replace

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.special import expit

from mlcore.calibration import IDENTITY, POWERS, fit_calibration
from mlcore.cnn.dataset import to_tensor
from mlcore.cnn.model import CnnModel
from mlcore.cnn.predict import predict
from mlcore.cnn.shards import read_shards
from mlcore.cnn.train import train
from mlcore.errors import (
    ArtefactError,
    CancelledError,
    CatalogueError,
    ImagesAwayError,
    InvalidInputError,
    NotEnoughVotesError,
)
from mlcore.gp.mislabels import MislabelCandidate
from mlcore.images import ImageCache
from mlcore.round_files import RoundFiles
from mlcore.round_flagging import _count_flagged, flag_subjects
from mlcore.round_plan import RoundConfig, RoundPlan
from mlcore.training_round import STAGES, run_round
from mlcore.tree import DecisionTree

from .conftest import TINY_TRAIN

SUBJECTS = 48
VOTES = 5
NAMES = [stage.name for stage in STAGES]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors are faster on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tree():
    def answer(slug, following=None):
        return {"slug": slug, "text": {"en": slug}, "next": following}

    def question(slug, *answers):
        return {"slug": slug, "text": {"en": slug}, "help": {}, "answers": list(answers)}

    return DecisionTree.from_dict(
        {
            "slug": "tiny",
            "name": "Tiny",
            "start": "shape",
            "questions": [
                question("shape", answer("round"), answer("bar", "bright")),
                question("bright", answer("yes"), answer("no")),
            ],
        }
    )


@pytest.fixture(scope="module")
def config():
    return RoundConfig(
        train=TINY_TRAIN,
        min_training_subjects=10,
        min_held_out_subjects=4,
        bootstrap_draws=100,
        gate_margin=50.0,
        dimensions=4,
        draws=8,
        batch=6,
        acquisition="information",
        retirement_votes=10,
        folds=2,
        false_discovery_rate=0.5,
    )


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """Bars and blobs: image files, one of them broken."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(SUBJECTS):
        pixels = rng.integers(0, 20, (24, 24, 3), dtype=np.uint8)
        patch = (slice(8, 16), slice(8, 16)) if number % 2 == 0 else (slice(11, 13), slice(2, 22))
        pixels[patch] += 100
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / f"{SUBJECTS - 1}.png").write_bytes(b"not an image")
    return folder


def input_table(survey, tree, *, voted=40):
    """Every fourth subject is in the panel, the last `voted` to SUBJECTS have no votes."""
    numbers = np.arange(SUBJECTS)
    counts = np.zeros((SUBJECTS, len(tree.label_cols)), dtype=np.int32)
    counts[0:voted:2, 0] = VOTES
    counts[1:voted:2, 1] = VOTES
    counts[1:voted:2, 2] = 3
    counts[1:voted:2, 3] = 2
    columns = {
        "id_str": [f"s:{number}" for number in numbers],
        "file_loc": [str(survey / f"{number}.png") for number in numbers],
        "control": numbers % 4 == 0,
        "retired": numbers == 3,
        "pending": np.where(numbers == 5, 2, 0).astype(np.int32),
    }
    return pa.table(columns | dict(zip(tree.label_cols, counts.T, strict=True)))


def begin(directory, table):
    (directory / "input").mkdir(parents=True)
    pq.write_table(table, directory / "input" / "subjects.parquet")
    return directory


@pytest.fixture(scope="module")
def plan(tree, config, tmp_path_factory):
    return RoundPlan(tree, 3, config, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def finished(plan, survey, tree, tmp_path_factory):
    """A whole round, with everything it reported."""
    directory = begin(tmp_path_factory.mktemp("round"), input_table(survey, tree))
    said = []
    result = run_round(plan, directory, on_progress=lambda *given: said.append(given))
    return result, said


@pytest.fixture
def copy(finished, tmp_path):
    """The finished round in a folder that a test may spoil."""
    shutil.copytree(finished[0].directory, tmp_path / "round")
    return tmp_path / "round"


def forget(directory, *names):
    """Leave the round as a kill before these stages would."""
    for name in names:
        shutil.rmtree(directory / name)


def flipped(content):
    """Return a file with a bit changed in the middle, far from the footer."""
    place = len(content) // 4
    return content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]


def begun(said):
    """Return the stages that did some work, in order."""
    return [stage for stage, fraction, _ in said if fraction == 0.0]


class TestWholeRound:
    def test_runs_every_stage_once_and_in_order(self, finished):
        result, said = finished
        assert list(result.records) == NAMES
        assert begun(said) == NAMES
        assert [stage for stage, fraction, _ in said if fraction == 1.0] == NAMES

    def test_progress_never_falls_within_a_stage(self, finished):
        for name in NAMES:
            fractions = [fraction for stage, fraction, _ in finished[1] if stage == name]
            assert fractions == sorted(fractions)

    def test_the_catalogue_leaves_the_control_panel_out(self, finished, tree):
        folder = finished[0].directory / "snapshot"
        training = pq.read_table(folder / "training.parquet").to_pydict()
        held_out = pq.read_table(folder / "held_out.parquet").to_pydict()
        assert training["id_str"] == [f"s:{n}" for n in range(40) if n % 4]
        assert held_out["id_str"] == [f"s:{n}" for n in range(40) if n % 4 == 0]
        assert training["shape_bar"][0] == VOTES
        assert training["shape_round"][0] == 0
        assert finished[0].records["snapshot"].result["training_subjects"] == 30

    def test_says_where_the_weights_came_from(self, finished):
        origin = finished[0].records["train"].result["origin"]
        assert origin["source"] == "pretrained-here"
        assert origin["reason"]

    def test_calibrates_the_model_on_galaxies_outside_the_panel(self, finished, tree):
        folder = finished[0].directory / "train"
        unseen = pq.read_table(folder / "out_of_fold.parquet").to_pydict()
        assert unseen["id_str"] == [f"s:{n}" for n in range(40) if n % 4]
        found = np.column_stack([unseen[column] for column in tree.label_cols]).astype(float)
        held = pq.read_table(finished[0].directory / "snapshot" / "training.parquet").to_pydict()
        counts = np.column_stack([held[column] for column in tree.label_cols]).astype(float)
        result, model = finished[0].records["train"].result, CnnModel.load(folder / "model")
        assert result["lookalikes"] == {"galaxies": 30, "reason": ""}
        assert result["calibration"] == model.calibration.to_dict()
        shape = model.calibration.questions["shape"]
        alone = fit_calibration(counts, found, tree).questions["shape"]
        assert (shape.votes, shape.galaxies) == (alone.votes, alone.galaxies) == (150, 30)
        assert shape.gain > alone.gain
        assert shape.lookalikes != POWERS[1]
        assert not (folder / "folds").exists()

    def test_predicts_with_the_calibration(self, plan, finished):
        model = CnnModel.load(finished[0].directory / "train" / "model")
        cache, tree = ImageCache.open(plan.shared / "images-24-1"), plan.tree
        alone = replace(model, calibration=IDENTITY, lookalikes=None)
        network = predict(alone, cache, np.arange(3)).concentrations
        others = model.lookalikes.fractions(to_tensor(cache.images[np.arange(3)]), 1)
        shard = next(read_shards(finished[0].directory / "predict"))
        for slug, part in tree.question_slices.items():
            fitted, total = model.calibration.questions[slug], network[:, part].sum(axis=1)
            shares = network[:, part] / total[:, None]
            pooled = shares**fitted.network * others[:, part] ** fitted.lookalikes
            pooled *= fitted.scale * (total / pooled.sum(axis=1))[:, None]
            assert shard.predictions.concentrations[:3, part] == pytest.approx(pooled, rel=1e-4)

    def test_goes_on_without_look_alikes_and_says_why(self, plan, survey, tmp_path):
        train = replace(plan.config.train, pretrain_steps=0, shape_features=False)
        alone = replace(plan, config=replace(plan.config, train=train), shared=tmp_path / "shared")
        directory = begin(tmp_path / "round", input_table(survey, plan.tree))
        record = run_round(alone, directory, until="train").records["train"].result
        assert record["lookalikes"]["galaxies"] == 0
        assert "no encoder was pretrained" in record["lookalikes"]["reason"]
        assert CnnModel.load(directory / "train" / "model").lookalikes is None

    def test_details_the_evaluation(self, finished):
        document = json.loads(
            (finished[0].directory / "evaluate" / "evaluation.json").read_text(encoding="utf-8")
        )
        assert document["n"] == 10
        assert document["questions"]["shape"]["calibration"]["votes"] == 150
        ids = {each["id_str"] for each in document["questions"]["shape"]["worst"]}
        assert ids == {f"s:{n}" for n in range(0, 40, 4)}

    def test_judges_on_the_control_panel(self, finished):
        found = finished[0].records["evaluate"].result
        assert found["n"] == 10
        assert set(found["questions"]) == {"shape", "bright"}
        assert found["comparison"] is None
        assert "no model before" in found["verdict"]

    def test_says_which_galaxies_look_alike(self, finished):
        folder = finished[0].directory / "acquire" / "neighbours"
        rows = [row for path in folder.glob("*.parquet") for row in pq.read_table(path).to_pylist()]
        assert len(rows) == SUBJECTS - 1
        assert all(len(set(row["neighbour"]) - {row["id_str"]}) == 8 for row in rows)
        assert finished[0].records["acquire"].result["neighbours_among"] == SUBJECTS - 1

    def test_predicts_every_readable_subject(self, finished):
        found = finished[0].records["predict"].result
        assert found["galaxies"] == SUBJECTS - 1
        assert list(found["unreadable"]) == [f"s:{SUBJECTS - 1}"]

    def test_queues_what_is_still_to_ask(self, finished, tree):
        queue = pq.read_table(finished[0].directory / "acquire" / "queue.parquet").to_pydict()
        assert queue["rank"] == list(range(len(queue["id_str"])))
        assert set(queue["id_str"]) == {f"s:{n}" for n in range(SUBJECTS - 1) if n != 3}
        assert all(1 <= votes <= 10 for votes in queue["votes_wanted"])
        assert set(queue["top_answer"]) <= {"shape_round", "shape_bar"}
        panel = [int(id_str[2:]) % 4 == 0 for id_str in queue["id_str"]]
        assert panel == sorted(panel)
        assert finished[0].records["acquire"].result["rule"] == "information"

    def test_ranks_the_votes_to_doubt(self, finished):
        found = pq.read_table(finished[0].directory / "flag" / "mislabels.parquet").to_pylist()
        assert [row["rank"] for row in found] == list(range(len(found)))
        assert len(found) == 40
        scores = [row["score"] for row in found]
        assert scores == sorted(scores, reverse=True)
        assert all(row["flagged"] == (row["q_value"] <= 0.5) for row in found)
        assert all(abs(sum(dict(row["observed"]).values()) - 1) < 1e-9 for row in found)

    def test_an_experts_answers_are_not_doubted(self, plan, copy):
        path = copy / "input" / "subjects.parquet"
        table = pq.read_table(path)
        judged = np.isin(table["id_str"].to_pylist(), ["s:1", "s:2"])
        pq.write_table(table.append_column("verdict", pa.array(judged)), path)
        assert flag_subjects(RoundFiles(plan, copy))["judged"] == 38
        found = pq.read_table(copy / "flag" / "mislabels.parquet").to_pydict()
        assert not {"s:1", "s:2"} & set(found["id_str"])

    def test_votes_that_an_expert_called_right_come_last_and_spoil_no_rate(self, plan, copy):
        before = pq.read_table(copy / "flag" / "mislabels.parquet").to_pydict()
        called = before["id_str"][:2]
        rows = {
            "id_str": [each for each in called for _ in "12"],
            "question": ["shape", "bright"] * 2,
            "verdict": ["votes-right"] * 4,
        }
        pq.write_table(pa.table(rows), copy / "input" / "judged.parquet")
        assert flag_subjects(RoundFiles(plan, copy))["judged"] == len(before["id_str"])
        found = pq.read_table(copy / "flag" / "mislabels.parquet").to_pydict()
        assert found["id_str"][:-2] == before["id_str"][2:]
        assert set(found["id_str"][-2:]) == set(called)
        local = expit(-np.array(before["score"][2:]))
        np.testing.assert_allclose(found["q_value"][0], local[0])

    @pytest.mark.parametrize("verdict", ["unsure", "mislabel"])
    def test_votes_that_an_expert_knows_take_no_place_of_others(self, plan, copy, verdict):
        asking = replace(
            plan, config=replace(plan.config, false_discovery_rate=1e-9, review_at_least=3)
        )
        before = pq.read_table(copy / "flag" / "mislabels.parquet").to_pydict()
        unsure = before["id_str"][:2]
        rows = {"id_str": unsure, "question": before["question"][:2], "verdict": [verdict] * 2}
        pq.write_table(pa.table(rows), copy / "input" / "judged.parquet")
        assert flag_subjects(RoundFiles(asking, copy))["flagged"] == 5
        found = pq.read_table(copy / "flag" / "mislabels.parquet").to_pydict()
        assert found["id_str"] == before["id_str"]

    def test_another_list_of_verdicts_makes_the_flags_anew(self, plan, copy):
        done = run_round(plan, copy).records["flag"]
        rows = {"id_str": ["s:1"], "question": ["shape"], "verdict": ["votes-right"]}
        pq.write_table(pa.table(rows), copy / "input" / "judged.parquet")
        again = run_round(plan, copy).records["flag"]
        assert again.checksum != done.checksum
        assert run_round(plan, copy).records["flag"] == again

    def test_a_damaged_list_of_verdicts_is_named(self, plan, copy):
        (copy / "input" / "judged.parquet").write_text("no Parquet")
        with pytest.raises(ArtefactError, match=r"judged\.parquet must be Parquet, is not"):
            flag_subjects(RoundFiles(plan, copy))

    def test_rates_are_those_of_galaxies_with_enough_volunteers(self, plan, copy):
        path = copy / "snapshot" / "training.parquet"
        table = pq.read_table(path)
        votes = table["shape_round"].to_numpy().copy()
        few = np.flatnonzero(votes)[:6]
        votes[few] = 2
        place = table.column_names.index("shape_round")
        kind = table.schema.field(place)
        pq.write_table(table.set_column(place, kind, pa.array(votes, kind.type)), path)
        assert flag_subjects(RoundFiles(plan, copy))["judged"] == 34
        found = pq.read_table(copy / "flag" / "mislabels.parquet").to_pydict()
        assert not set(found["id_str"]) & {table["id_str"][row].as_py() for row in few.tolist()}
        local = expit(-np.array(found["score"]))
        expected = [local[local <= rate].mean() for rate in local]
        np.testing.assert_allclose(found["q_value"], expected)


@pytest.fixture(scope="module")
def untaught(plan, survey, tree, tmp_path_factory):
    """A whole round with neither pretraining nor calibration, and the folder it shares."""
    train = replace(plan.config.train, pretrain_steps=0)
    shared = tmp_path_factory.mktemp("shared")
    config = replace(plan.config, train=train, calibrate=False, review_at_least=3)
    scratch = replace(plan, config=config, shared=shared)
    directory = begin(tmp_path_factory.mktemp("untaught"), input_table(survey, tree))
    return run_round(scratch, directory), shared


class TestWithoutPretraining:
    def test_says_so(self, untaught):
        result, shared = untaught
        origin = result.records["train"].result["origin"]
        assert origin["source"] == "scratch"
        assert "not pretrained" in origin["reason"]
        assert not (shared / "pretrained").exists()

    def test_still_ranks_the_votes_to_doubt(self, untaught):
        ranked = untaught[0].directory / "flag" / "mislabels.parquet"
        assert pq.read_metadata(ranked).num_rows == 40

    def test_shows_what_speaks_against_the_flagged(self, untaught, tree):
        folder = untaught[0].directory / "flag"
        evidence = pq.read_table(folder / "evidence.parquet").to_pylist()
        ranked = pq.read_table(folder / "mislabels.parquet").to_pylist()
        flagged = [row["id_str"] for row in ranked if row["flagged"]]
        assert len(flagged) >= 3
        assert [row["id_str"] for row in evidence] == flagged
        for row in evidence:
            assert 0 < len(row["alike"]) <= 4
            assert not set(row["alike"]) & set(flagged)
            with Image.open(folder / "looked-at" / row["picture"]) as picture:
                assert picture.size == (24, 24)


class TestImagesThatAllLookTheSame:
    def test_the_round_goes_to_its_end_and_says_so(self, plan, survey, tree, tmp_path):
        table, flat = input_table(survey, tree), tmp_path / "flat.png"
        Image.fromarray(np.full((24, 24, 3), 40, dtype=np.uint8)).save(flat)
        place = table.column_names.index("file_loc")
        table = table.set_column(place, "file_loc", pa.array([str(flat)] * SUBJECTS))
        train = replace(plan.config.train, pretrain_steps=0)
        config = replace(plan.config, train=train, dimensions=5_000, review_at_least=3)
        alike = replace(plan, config=config, shared=tmp_path / "shared")
        records = run_round(alike, begin(tmp_path / "round", table)).records
        assert records["acquire"].result["rule"] == "random"
        for name in ("acquire", "flag"):
            assert "representations must have" in records[name].result["fallback"]
        assert records["flag"].result["flagged"] >= 3


class TestWithoutCalibration:
    def test_the_model_stays_as_it_was_trained_and_mislabels_are_found(self, untaught):
        result, _ = untaught
        model = CnnModel.load(result.directory / "train" / "model")
        assert model.calibration == IDENTITY
        assert result.records["train"].result["calibration"] == {}
        assert not (result.directory / "train" / "out_of_fold.parquet").exists()
        assert not (result.directory / "flag" / "folds").exists()


class TestVotesPlacedOneByOne:
    @pytest.fixture
    def choose(self, plan, copy):
        changed = replace(plan, config=replace(plan.config, acquisition="design"))

        def choose_():
            result = run_round(changed, copy, until="acquire").records["acquire"].result
            queue = pq.read_table(copy / "acquire" / "queue.parquet").to_pydict()
            return result, queue

        return choose_

    def test_all_votes_of_the_batch_are_placed_outside_the_panel(self, choose, plan):
        result, queue = choose()
        batch = [int(id_str[2:]) for id_str in queue["id_str"][: result["batch"]]]
        assert result["rule"] == "design"
        assert result["batch_votes"] == sum(queue["votes_wanted"][: result["batch"]])
        placed = plan.config.batch * plan.config.expected_votes
        assert result["batch_votes"] == placed + 2 * (5 in batch)
        assert not any(number % 4 == 0 or number == 3 for number in batch)
        assert queue["rank"] == list(range(len(queue["id_str"])))

    def test_of_a_large_survey_some_stand_for_all(self, choose, monkeypatch):
        monkeypatch.setattr("mlcore.round_design.OFFERED", 3)
        result, queue = choose()
        batch = [int(id_str[2:]) for id_str in queue["id_str"][: result["batch"]]]
        assert 0 < sum(number >= 40 for number in batch) <= 3


class TestResuming:
    def test_a_finished_round_does_nothing_again(self, plan, copy):
        said = []
        run_round(plan, copy, on_progress=lambda *given: said.append(given))
        assert begun(said) == []

    def test_what_a_kill_left_half_written_goes(self, plan, copy):
        folders = (copy / "input", copy / "flag", plan.shared)
        left = [folder / f".half.{os.getpid()}.partial" for folder in folders]
        for partial in left:
            partial.write_text("half")
        run_round(plan, copy)
        assert not any(partial.exists() for partial in left)

    def test_finished_stages_are_skipped(self, plan, copy, finished):
        forget(copy, "acquire", "flag")
        said = []
        result = run_round(plan, copy, on_progress=lambda *given: said.append(given))
        assert begun(said) == ["acquire", "flag"]
        before, after = finished[0].records["acquire"], result.records["acquire"]
        assert after.outputs["queue.parquet"] == before.outputs["queue.parquet"]

    def test_runs_no_further_than_asked(self, plan, copy):
        forget(copy, "predict", "acquire", "flag")
        result = run_round(plan, copy, until="predict")
        assert list(result.records) == NAMES[: NAMES.index("predict") + 1]
        assert not (copy / "acquire").exists()

    def test_a_cancelled_training_goes_on_from_its_checkpoint(self, plan, survey, tree, tmp_path):
        directory = begin(tmp_path / "round", input_table(survey, tree))
        stop = []

        def watch(stage, _fraction, message):
            if stage == "train" and "epoch 1" in message:
                stop.append(message)

        with pytest.raises(CancelledError):
            run_round(plan, directory, on_progress=watch, should_stop=lambda: bool(stop))
        said = []
        with pytest.raises(CancelledError):
            run_round(
                plan,
                directory,
                on_progress=lambda *given: said.append(given),
                should_stop=lambda: bool(said) and said[-1][:2] == ("train", 1.0),
            )
        assert begun(said) == ["train"]
        epochs = [message[:7] for _, _, message in said if message.startswith("epoch")]
        assert epochs == ["epoch 2"]

    def test_a_kill_among_the_folds_keeps_the_network_and_the_finished_fold(
        self, plan, survey, tree, finished, *, tmp_path
    ):
        directory = begin(tmp_path / "round", input_table(survey, tree))
        stop = []

        def watch(_stage, _fraction, message):
            if message.startswith("fold 2 of 2"):
                stop.append(message)

        with pytest.raises(CancelledError):
            run_round(plan, directory, on_progress=watch, should_stop=lambda: bool(stop))
        assert (directory / "train" / "folds" / "fold-0" / "model" / "model.json").is_file()
        said = []
        resumed = run_round(
            plan, directory, until="train", on_progress=lambda *given: said.append(given[2])
        )
        assert not [message for message in said if message.startswith(("epoch", "fold 1"))]
        before, after = finished[0].records["train"], resumed.records["train"]
        assert after.result["calibration"] == before.result["calibration"]

    def test_predictions_of_other_galaxies_are_an_error(self, plan, copy):
        path = copy / "train" / "out_of_fold.parquet"
        pq.write_table(pq.read_table(path).slice(1), path)
        with pytest.raises(ArtefactError, match="must be about this round's galaxies"):
            flag_subjects(RoundFiles(plan, copy))

    @pytest.mark.parametrize("damage", [lambda table: table[:-9], lambda _: b"", flipped, None])
    def test_predictions_spoilt_before_training_was_marked_are_made_again(
        self, plan, copy, finished, damage
    ):
        (copy / "train" / "stage.json").unlink()
        path = copy / "train" / "out_of_fold.parquet"
        whole = path.read_bytes()
        if damage is None:
            pq.write_table(pq.read_table(path).slice(1), path)
        else:
            path.write_bytes(damage(whole))
        found = run_round(plan, copy, until="train").records["train"]
        assert found.outputs == finished[0].records["train"].outputs
        assert path.read_bytes() == whole

    @pytest.mark.parametrize("stage", ["predict", "acquire"])
    def test_a_shard_spoilt_before_its_stage_was_marked_is_made_again(
        self, plan, copy, finished, stage
    ):
        folder = copy / ("predict" if stage == "predict" else "acquire/neighbours")
        path = folder / "shard-00000.parquet"
        (copy / stage / "stage.json").unlink()
        path.write_bytes(flipped(path.read_bytes()))
        found = run_round(plan, copy, until=stage).records[stage]
        assert found.outputs == finished[0].records[stage].outputs

    def test_other_settings_make_every_stage_again(self, plan, copy):
        other = replace(plan, config=replace(plan.config, min_flag_votes=2))
        said = []
        with pytest.raises(CancelledError):
            run_round(
                other,
                copy,
                on_progress=lambda *given: said.append(given),
                should_stop=lambda: bool(said) and said[-1][0] == "train",
            )
        assert begun(said)[:2] == ["snapshot", "train"]

    def test_a_changed_file_is_an_error_and_then_made_again(self, plan, copy):
        queue = copy / "acquire" / "queue.parquet"
        whole = queue.read_bytes()
        queue.write_bytes(whole[:-8] + b"tampered")
        with pytest.raises(ArtefactError, match=r"acquire/queue\.parquet must have checksum"):
            run_round(plan, copy)
        run_round(plan, copy)
        assert queue.read_bytes() == whole

    def test_a_damaged_mark_is_an_error_and_then_made_again(self, plan, copy):
        (copy / "flag" / "stage.json").write_text("{")
        with pytest.raises(ArtefactError, match=r"flag/stage\.json is damaged"):
            run_round(plan, copy)


class TestGate:
    def test_compares_with_the_model_before(self, plan, copy, finished):
        forget(copy, "evaluate")
        model = finished[0].directory / "train" / "model"
        result = run_round(replace(plan, previous_model=model), copy)
        found = result.records["evaluate"].result
        assert found["comparison"]["difference"] == pytest.approx(0.0)
        assert found["comparison"]["not_worse"]
        assert found["previous"]["n"] == found["n"]
        assert found["verdict"].startswith("Not worse than the model before on 10 galaxies")

    def test_a_worse_model_is_refused(self, plan, copy, tmp_path):
        cache = ImageCache.open(plan.shared / "images-24-1")
        rows = cache.rows([f"s:{number}" for number in range(40)])
        counts = np.zeros((40, 4))
        counts[0::2, 0] = VOTES
        counts[1::2] = [0, VOTES, 3, 2]
        longer = replace(plan.config.train, epochs=20)
        train(cache, rows, counts, plan.tree, longer, directory=tmp_path, seed=0)
        alone = replace(plan.config.train, lookalikes=False)
        strict = replace(plan.config, gate_margin=0.0, train=alone)
        better = replace(plan, config=strict, previous_model=tmp_path / "model")
        found = run_round(better, copy).records["evaluate"].result
        assert not found["comparison"]["not_worse"]
        assert found["comparison"]["difference"] > 0
        assert found["verdict"].startswith("Not shown to be as good as the model before")

    def test_another_tree_cannot_be_compared(self, plan, copy, finished, tmp_path):
        model = CnnModel.load(finished[0].directory / "train" / "model")
        renamed = DecisionTree.from_dict({**plan.tree.to_dict(), "slug": "other"})
        replace(model, tree=renamed).save(tmp_path / "other")
        forget(copy, "evaluate")
        result = run_round(replace(plan, previous_model=tmp_path / "other"), copy)
        assert result.records["evaluate"].result["comparison"] is None


class TestBadInput:
    @pytest.mark.parametrize("voted", [12, 0])
    def test_too_few_votes(self, voted, plan, survey, tree, *, tmp_path):
        directory = begin(tmp_path / "round", input_table(survey, tree, voted=voted))
        with pytest.raises(NotEnoughVotesError, match="training galaxies with votes must be"):
            run_round(plan, directory)

    def test_too_few_in_the_panel(self, plan, survey, tree, tmp_path):
        strict = replace(plan, config=replace(plan.config, min_held_out_subjects=11))
        directory = begin(tmp_path / "round", input_table(survey, tree))
        with pytest.raises(NotEnoughVotesError, match=r"held_out .* at least 11, are 10"):
            run_round(strict, directory)

    def test_a_missing_column(self, plan, survey, tree, tmp_path):
        table = input_table(survey, tree).drop_columns(["shape_bar"])
        with pytest.raises(CatalogueError, match="'shape_bar'"):
            run_round(plan, begin(tmp_path / "round", table))

    def test_a_blank_count(self, plan, survey, tree, tmp_path):
        table = input_table(survey, tree)
        blank = pa.array([None] + [0] * (SUBJECTS - 1), pa.int32())
        place = table.column_names.index("bright_yes")
        table = table.set_column(place, "bright_yes", blank)
        with pytest.raises(CatalogueError, match="no blanks, column 'bright_yes'"):
            run_round(plan, begin(tmp_path / "round", table))

    def test_no_input(self, plan, tmp_path):
        with pytest.raises(ArtefactError, match=r"subjects\.parquet"):
            run_round(plan, tmp_path)

    def test_an_unknown_last_stage(self, plan, tmp_path):
        with pytest.raises(InvalidInputError, match=r"until must be one of .*, is 'publish'"):
            run_round(plan, tmp_path, until="publish")


class TestImagesThatCannotBeRead:
    """Image `SUBJECTS - 1` is damaged, and stays so."""

    @pytest.fixture
    def images(self, survey, tmp_path):
        return shutil.copytree(survey, tmp_path / "images")

    @pytest.fixture
    def own(self, plan, tmp_path):
        return replace(plan, shared=tmp_path / "shared")

    @pytest.fixture
    def directory(self, images, tree, tmp_path):
        return begin(tmp_path / "round", input_table(images, tree))

    def test_a_folder_that_is_away_stops_the_round_and_is_forgotten(self, own, images, directory):
        images.rename(images.with_name("away"))
        for _ in range(2):
            with pytest.raises(ImagesAwayError, match=r"its folder .*/images is not there"):
                run_round(own, directory)
        images.with_name("away").rename(images)
        found = run_round(own, directory, until="train").records["train"].result
        assert (found["galaxies"], found["unreadable_images"]) == (30, 1)

    def test_those_of_most_galaxies_stop_the_round(self, own, images, directory):
        for number in range(24):
            (images / f"{number}.png").unlink()
        with pytest.raises(ImagesAwayError, match=r"half of 48 images .* 25 are not"):
            run_round(own, directory)

    def test_the_record_says_how_many_and_why_and_names_a_few(self, own, images, directory):
        for number in range(1, 9):
            (images / f"{number}.png").unlink()
        found = run_round(own, directory, until="train").records["train"].result
        assert found["unreadable_images"] == 9
        assert found["unreadable"]["reasons"] == {"missing": 8, "not-an-image": 1}
        assert list(found["unreadable"]["named"]) == [f"s:{number}" for number in range(1, 6)]
        assert "1.png must be a file" in found["unreadable"]["named"]["s:1"]

    @pytest.mark.parametrize(
        ("name", "control", "said"),
        [("training", False, "10, are 9 of 30: 21"), ("held_out", True, "4, are 3 of 10: 7")],
    )
    def test_the_least_numbers_hold_without_them(
        self, name, control, said, own, *, images, directory
    ):
        lost = [number for number in range(40) if (number % 4 == 0) == control]
        for number in lost[: 7 if control else 21]:
            (images / f"{number}.png").unlink()
        message = rf"{name} galaxies .* image can be read must be at least {said} missing"
        with pytest.raises(NotEnoughVotesError, match=message):
            run_round(own, directory, until="train")

    def test_they_are_tried_again_in_the_next_round_and_not_before(
        self, own, images, directory, tree, tmp_path
    ):
        whole = (images / "1.png").read_bytes()
        (images / "1.png").unlink()
        run_round(own, directory, until="train")
        (images / "1.png").write_bytes(whole)
        found = run_round(own, directory).records
        assert found["predict"].result["galaxies"] == SUBJECTS - 2
        assert found["flag"].result["judged"] == 39
        following = begin(tmp_path / "next", input_table(images, tree))
        assert run_round(own, following, until="train").records["train"].result["galaxies"] == 30

    def test_models_are_compared_on_what_both_can_see(self, own, images, directory, tmp_path):
        other = replace(own.config.train, crop_fraction=0.5)
        paths = [images / f"{number}.png" for number in range(40)]
        ids = [f"s:{number}" for number in range(40)]
        cache = ImageCache.build(paths, ids, tmp_path / "other", size=24, crop_fraction=0.5)
        counts = np.tile([VOTES, 0, 0, 0], (40, 1))
        train(cache, np.arange(40), counts, own.tree, other, directory=tmp_path / "old", seed=0)
        judged = replace(own, previous_model=tmp_path / "old" / "model")
        run_round(judged, directory, until="train")
        (images / "0.png").unlink()
        found = run_round(judged, directory, until="evaluate").records["evaluate"].result
        assert (found["n"], found["previous"]["n"], found["comparison"]["n"]) == (10, 9, 9)
        for number in range(4, 28, 4):
            (images / f"{number}.png").unlink()
        shutil.rmtree(own.shared / "images-24-0.5")
        forget(directory, "evaluate")
        with pytest.raises(NotEnoughVotesError, match=r"both models .* 4, are 3: 7 missing"):
            run_round(judged, directory, until="evaluate")


class TestConfig:
    def test_goes_through_json_unchanged(self, config):
        document = json.loads(json.dumps(config.to_dict()))
        assert RoundConfig.from_dict(document) == config

    def test_what_is_left_out_has_its_default(self):
        assert RoundConfig.from_dict({"folds": 4}) == RoundConfig(folds=4)

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"folds": 1}, "folds must be a whole number of at least 2, is 1"),
            ({"folds": True}, "folds must be a whole number of at least 2, is True"),
            ({"calibrate": 1}, "calibrate must be true or false, is 1"),
            ({"batch": "many"}, "batch must be a whole number of at least 1, is 'many'"),
            ({"acquisition": "best"}, "acquisition must be one of design, .*, is 'best'"),
            ({"false_discovery_rate": 1.0}, "false_discovery_rate must be in"),
            ({"gate_margin": -0.1}, "gate_margin must be finite and at least 0, is -0.1"),
            ({"epochs": 3}, "epochs must be a setting of a round, is unknown"),
            ({"train": {"epochs": 0}}, "epochs must be at least 1, is 0"),
            ({"train": 3}, "train must be an object of settings, is 3"),
        ],
    )
    def test_a_broken_rule_is_named(self, document, message):
        with pytest.raises(InvalidInputError, match=message):
            RoundConfig.from_dict(document)

    def test_a_seed_outside_its_range(self, plan):
        with pytest.raises(InvalidInputError, match="seed must be in"):
            replace(plan, seed=-1)


class TestReviewBudget:
    @pytest.mark.parametrize(
        ("q_values", "unsure", "at_least", "expected"),
        [
            ((0.01, 0.2, 0.6), (), 0, 1),
            ((0.01, 0.2, 0.6), (), 2, 2),
            ((0.01, 0.02, 0.6), (), 1, 2),
            ((0.3, 0.6), (), 10, 2),
            ((), (), 10, 0),
            ((0.2, 0.3, 0.6, 0.7), (0, 2), 1, 2),
            ((0.2, 0.3, 0.6, 0.7), (0, 2), 2, 4),
            ((0.2, 0.3, 0.6, 0.7), (0, 1, 2, 3), 2, 0),
        ],
    )
    def test_experts_are_asked_about_what_the_rate_flags_and_at_least_the_budget(
        self, q_values, unsure, at_least, expected
    ):
        candidates = [
            MislabelCandidate(
                id_str=str(rank),
                question="q",
                p_value=q,
                q_value=q,
                score=-q,
                n_votes=5,
                observed={},
                expected={},
                reason="",
            )
            for rank, q in enumerate(q_values)
        ]
        config, before = (
            RoundConfig(review_at_least=at_least),
            {(str(each), "q") for each in unsure},
        )
        assert _count_flagged(candidates, config, before) == expected
