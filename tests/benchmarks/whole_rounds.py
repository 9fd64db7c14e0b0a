"""Whole rounds, network included: what choosing galaxies and asking look-alikes are worth.

Drawn galaxies with the questions of Galaxy Zoo DECaLS. The first round learns from random
galaxies with five votes each; two more get as many votes again, by each rule. Every round is
`mlcore.training_round` with the settings of the demonstration, whose network learns anew each
time. Predictions are scored on galaxies that no stage has seen, against their true fractions:
skill, in nats per volunteer, is how much better than the survey's mean fractions they foretell
one more volunteer's walk through the tree. Seeds draw other votes, and begin with other galaxies.
"""

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.stats import t as student

TITLE = "Whole rounds on drawn galaxies: skill on the test set, in nats per volunteer"
ROOT = Path(__file__).parents[2]
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
WORKERS = int(os.environ.get("LENTICULAR_BENCH_WORKERS", "1"))
POOL = int(os.environ.get("LENTICULAR_BENCH_POOL", "2000"))
TEST, PANEL, SURVEY = 800, 40, 24
VOTES, EACH, ROUNDS = 1000, 5, 3
THIN = "random, spread thin"
ALL = ("random, 5 votes each", THIN, "information", "design")
# The thin ones are always there: others are compared with them.
ARMS = tuple(
    arm
    for arm in ALL
    if arm == THIN or arm in os.environ.get("LENTICULAR_BENCH_RULES", "; ".join(ALL)).split("; ")
)


def table():
    """Return a row for each rule, after each round."""
    kept = os.environ.get("LENTICULAR_BENCH_FOLDER")
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(kept or passing)
        folder.mkdir(parents=True, exist_ok=True)
        _survey(folder)
        return rows_of(_results(folder))


def _results(folder):
    """Return the skills (seeds, arms, rounds, 2) of every seed, each kept once it is there."""
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), one_thread) as pool:
        return np.array(list(pool.map(_seed, [folder] * SEEDS, range(SEEDS))))


def one_thread():
    import mlcore.cnn  # noqa: F401 - before torch

    # isort: split
    import torch

    torch.set_num_threads(1)


def rows_of(found):
    """Return the table of skills (seeds, arms, rounds, 2): network alone, and with look-alikes."""
    rows = []
    for place, arm in enumerate(ARMS):
        for number in range(1, ROUNDS):
            alone, both = found[:, place, number].T
            thin = found[:, ARMS.index(THIN), number, 1]
            rows.append(
                {
                    "rule": arm,
                    "votes": f"{VOTES * (number + 1):,}",
                    "network alone": interval(alone),
                    "with look-alikes": interval(both),
                    "gain": interval(both - alone),
                    "over random, spread thin": interval(both - thin),
                    "seeds worse": f"{(both < thin).sum()} of {len(both)}",
                }
            )
    first = found[:, 0, 0]
    blank = {"over random, spread thin": "", "seeds worse": ""}
    begun = {
        "rule": "all, first round",
        "votes": f"{VOTES:,}",
        "network alone": interval(first[:, 0]),
        "with look-alikes": interval(first[:, 1]),
        "gain": interval(first[:, 1] - first[:, 0]),
    }
    return [begun | blank, *rows]


def interval(values, places=3):
    """Return mean and half of the 95% interval, by Student's t."""
    if len(values) < 2:
        return f"{values.mean():.{places}f}"
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.{places}f} ± {half:.{places}f}"


def _survey(folder):
    """Draw the galaxies' images, where they are not there, and return their true fractions."""
    from PIL import Image

    from mlcore.simulate.answers import answer_fractions
    from mlcore.simulate.galaxies import draw_truth
    from mlcore.simulate.render import render

    tree, images = _tree(), folder / "images"
    truths = [draw_truth(SURVEY, number) for number in range(POOL + TEST)]
    if not (images / f"{POOL + TEST - 1}.png").is_file():
        images.mkdir(exist_ok=True)
        for number, truth in enumerate(truths):
            Image.fromarray(render(truth, 64)).save(images / f"{number}.png")
    return np.array([answer_fractions(truth, tree) for truth in truths])


def _tree():
    from mlcore.tree import DecisionTree

    return DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")


def _seed(folder, seed):
    """Return the skills (arms, rounds, 2) of one seed."""
    kept = folder / f"seed-{seed}.npy"
    if not kept.is_file():
        work = folder / f"seed-{seed}"
        np.save(kept, np.array(World.of(folder, work, seed).run()))
    return np.load(kept)


@dataclass(frozen=True)
class World:
    """One seed: the galaxies, the votes that they would get, and who is asked first."""

    folder: Path
    work: Path
    seed: int
    fractions: np.ndarray
    record: object
    order: np.ndarray
    test: object

    @classmethod
    def of(cls, folder, work, seed):
        """Draw the votes, and the order of asking at random."""
        from mlcore.images import ImageCache
        from mlcore.simulate.votes_crowd import draw_votes

        fractions = _survey(folder)
        paths = [folder / "images" / f"{number}.png" for number in range(POOL, POOL + TEST)]
        return cls(
            folder,
            work,
            seed,
            fractions,
            draw_votes(fractions[:POOL], _tree(), volunteers=300, votes=40, seed=seed),
            np.random.default_rng([seed, 3]).permutation(POOL),
            ImageCache.build(
                paths, [path.stem for path in paths], work / "test", size=64, crop_fraction=1.0
            ),
        )

    @property
    def panel(self):
        """The galaxies (n,) that the model is judged by, and never learns from."""
        return self.order[:PANEL]

    def run(self):
        """Return the skills (arms, rounds, 2)."""
        asked = np.zeros(POOL, dtype=np.int64)
        asked[self.panel] = EACH
        asked[self.order[PANEL : PANEL + VOTES // EACH]] = EACH
        first = self._round("first", asked, "information", until="train")
        return [[first, *self._arm(arm, asked)] for arm in ARMS]

    def _arm(self, arm, asked):
        rule = "information" if arm.startswith("random") else arm
        before, skills = "first", []
        for number in range(1, ROUNDS):
            asked = asked + self._more(arm, asked, before, rule)
            before = f"{arm}-{number}"
            skills.append(self._round(before, asked, rule, until="train"))
        return skills

    def _more(self, arm, asked, before, rule):
        """Return the votes (n,) that the rule asks for next, as many as a round has."""
        more = np.zeros(POOL, dtype=np.int64)
        if arm == "random, 5 votes each":
            new = self.order[PANEL:][asked[self.order[PANEL:]] == 0]
            more[new[: VOTES // EACH]] = EACH
        elif arm == THIN:
            others = self.order[PANEL:]
            turns = sorted((asked[row], place) for place, row in enumerate(others))
            more[others[[place for _, place in turns[:VOTES]]]] = 1
        else:
            self._spend(more, self._queue(before, asked, rule))
        return more

    def _spend(self, more, queue):
        left = VOTES
        for row, wanted in queue:
            if row in self.panel or left == 0:
                continue
            more[row] = min(wanted, left)
            left -= more[row]

    def _queue(self, before, asked, rule):
        import pyarrow.parquet as pq

        self._round(before, asked, rule, until="acquire")
        directory = self.work / f"{before}-{rule}" if before == "first" else self.work / before
        found = pq.read_table(directory / "acquire" / "queue.parquet").sort_by("rank")
        rows = (int(each) for each in found["id_str"].to_pylist())
        return list(zip(rows, found["votes_wanted"].to_pylist(), strict=True))

    def _round(self, name, asked, rule, *, until):
        """Run a round up to a stage, and return the skill of its model, alone and with others."""
        from mlcore.calibration import IDENTITY
        from mlcore.cnn.model import CnnModel
        from mlcore.round_plan import RoundConfig, RoundPlan
        from mlcore.train_config import TrainConfig
        from mlcore.training_round import run_round

        directory = self.work / (f"first-{rule}" if name == "first" else name)
        self._write_input(directory, asked)
        config = RoundConfig(
            train=replace(TrainConfig.small(), pretrain_steps=300),
            acquisition=rule,
            batch=VOTES // EACH,
            expected_votes=EACH,
            retirement_votes=40,
            calibrate=False,
        )
        shared = self.folder / f"shared-{self.seed % max(WORKERS, 1)}"
        run_round(RoundPlan(_tree(), self.seed, config, shared), directory, until=until)
        model = CnnModel.load(directory / "train" / "model")
        alone = replace(model, lookalikes=None, calibration=IDENTITY)
        return [self._skill(each) for each in (alone, model)]

    def _write_input(self, directory, asked):
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = directory / "input" / "subjects.parquet"
        if path.is_file():
            return
        path.parent.mkdir(parents=True)
        counts = self.record.counts(asked).astype(np.int32)
        numbers = np.arange(POOL)
        columns = {
            "id_str": [str(number) for number in numbers],
            "file_loc": [str(self.folder / "images" / f"{number}.png") for number in numbers],
            "control": np.isin(numbers, self.panel),
            "retired": np.zeros(POOL, dtype=bool),
            "pending": np.zeros(POOL, dtype=np.int32),
        }
        columns |= dict(zip(_tree().label_cols, counts.T, strict=True))
        pq.write_table(pa.table(columns), path)

    def _skill(self, model):
        from mlcore.cnn.predict import predict
        from mlcore.gp.acquisition import asked_probability

        tree, truth = _tree(), self.fractions[POOL:]
        said = predict(model, self.test, np.arange(TEST)).concentrations.astype(float)
        known = self.record.counts(np.full(POOL, 40)).sum(axis=0)
        asked, skill = asked_probability(truth, tree), 0.0
        for place, part in enumerate(tree.question_slices.values()):
            shares = said[:, part] / said[:, part].sum(axis=1, keepdims=True)
            blind = known[part] / known[part].sum()
            gained = truth[:, part] * (np.log(np.maximum(shares, 1e-6)) - np.log(blind))
            skill += (asked[:, place] * gained.sum(axis=1)).mean()
        return float(skill)
