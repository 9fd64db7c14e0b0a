"""Whole rounds on real galaxies: what choosing each vote is worth to the network.

`manage.py replay` on the galaxies of sdss_gz1, once for each seed, which draws other votes,
wrong classes and first galaxies. Three arms get as many votes: by the default rule, at random
with five votes on each galaxy, and at random with one vote at a time. Scores are on a fifth of
the galaxies, which no stage sees.
"""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import current_process, get_context

import _galaxies
import numpy as np
from whole_rounds import interval, one_thread

TITLE = "Whole rounds on real galaxies: as many votes spent in three ways"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
WORKERS = int(os.environ.get("LENTICULAR_BENCH_WORKERS", "1"))
SCORES = {
    "nats": "nats per vote",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "binary_accuracy": "elliptical or not",
}
OURS = "design, vote by vote"
AHEAD = ("design ahead, nats", "design ahead, accuracy", "seeds it is behind: nats, accuracy")
ARMS = {
    "random, 5 votes each": lambda found: found["control"]["rounds"],
    "random, spread thin": lambda found: found["thin"]["rounds"],
    OURS: lambda found: found["rounds"],
}


def table():
    """Return a row for the first round, and one for each way to go on."""
    if not _galaxies.REAL.is_dir():
        return [{"way": f"not measured: {_galaxies.REAL} is not there"}]
    with _galaxies.working_folder() as folder:
        return rows_of(_results(folder))


def rows_of(found):
    """Return the rows of what the seeds found; differences are paired by seed."""
    last = {
        way: np.array([_scores(rounds(each)[-1]) for each in found]) for way, rounds in ARMS.items()
    }
    first = np.array([_scores(each["rounds"][0]) for each in found])
    blank = dict.fromkeys(AHEAD, "")
    begun = {"way": "all, first round", "votes": _votes(found, ARMS[OURS], 0)}
    rows = [begun | _cells(first) | blank]
    for way, scores in last.items():
        ahead = last[OURS] - scores
        nats, right = -ahead[:, 0], ahead[:, 1]
        told = (interval(nats), interval(right), f"{(nats < 0).sum()}, {(right < 0).sum()}")
        row = {"way": way, "votes": _votes(found, ARMS[way], -1), **_cells(scores)}
        rows.append(row | (blank if way == OURS else dict(zip(AHEAD, told, strict=True))))
    return rows


def _scores(score):
    return [score[name] for name in SCORES]


def _cells(scores):
    return dict(zip(SCORES.values(), map(interval, scores.T), strict=True))


def _votes(found, rounds, place):
    return f"{np.mean([rounds(each)[place]['votes'] for each in found]):,.0f}"


def _results(folder):
    """Return what every seed found, each kept once it is there."""
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), one_thread) as pool:
        return list(pool.map(_seed, [folder] * SEEDS, range(SEEDS)))


def _seed(folder, seed):
    from mlcore.simulate.replay import replay
    from mlcore.simulate.replay_plan import ReplayPlan

    kept = folder / f"seed-{seed}.json"
    if not kept.is_file():
        work = folder / f"seed-{seed}"
        _share(folder / current_process().name, work / "shared")
        found = replay(_galaxies.REAL, replace(ReplayPlan(), seed=seed), work)
        kept.write_text(json.dumps(found.to_dict()))
        print(f"seed {seed}", *found.lines(), sep="\n", flush=True)
    return json.loads(kept.read_text())


def _share(common, link):
    """Keep the image cache and the encoder, which are every seed's, once for a process."""
    common.mkdir(exist_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(common, target_is_directory=True)
