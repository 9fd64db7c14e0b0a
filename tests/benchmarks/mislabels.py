"""Wrong labels found: ours against cleanlab's scorers, on the same out-of-fold probabilities.

A forest on 40 principal components of the pixels predicts out of fold, five folds; its
probabilities are given to cleanlab and to us. We join them with the Gaussian process's
leave-one-out on the rings (`mlcore.cnn.rings`); "joined" gives cleanlab the mean of both too.
The method was chosen on other galaxies and other seeds than are reported (see
`_planted.part_of`). The best cleanlab scorer is the one with the best mean over the seeds.

Published labels are wrong themselves, so of the flags that were not planted it is said how many
are suspect with every label as published (a probability of more than 0.1 of being wrong), and
how many of these we then expect to be wrong. Precision is of all seeds' flags together, its
interval that of a ratio over seeds (Cochran 1977, chapter 6; Student's t, 95%). The third
survey is the second with edge-on galaxies counted as spirals.
`LENTICULAR_BENCH_KINDS` chooses kinds by their numbers, as in `02`.
"""

import os
import sys

import numpy as np
from _mislabel_trials import RATES, published_doubts, run
from _planted import KINDS, drawn_galaxies, real_galaxies
from scipy.stats import t as student

TITLE = "Wrong labels: ours against cleanlab, 2.5% planted (means; 95% interval of the difference)"
SUSPECT = 0.1
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
CHOSEN = [KINDS[int(each)] for each in os.environ.get("LENTICULAR_BENCH_KINDS", "0123")]


def table():
    """Return one row for each survey and kind."""
    surveys = [drawn_galaxies(), real_galaxies(), real_galaxies(spirals_together=True)]
    there = [each for each in surveys if each is not None]
    rows = [each for galaxies in there for each in rows_of(galaxies, SEEDS)]
    if len(there) < len(surveys):
        rows.append({**dict.fromkeys(rows[0], "not there"), "survey": "sdss_gz1"})
    return rows


def rows_of(galaxies, seeds):
    """Return the rows of one survey, a kind each."""
    published = published_doubts(galaxies)
    return [row(galaxies, kind, seeds, published) for kind in CHOSEN]


def row(galaxies, kind, seeds, published):
    """Return the row of one kind, over so many seeds."""
    trials = [run(galaxies, kind, seed) for seed in range(seeds)]
    theirs = _best(trials, ", forest", but="ours")
    joined = _best(trials, ", joined", but="ours")
    cells = {
        "survey": f"{galaxies.name} ({len(galaxies.ids):,})",
        "kind": kind,
        "AP ours": f"{_mean(trials, 'average_precision', 'ours'):.3f}",
        "AP ours, forest alone": f"{_mean(trials, 'average_precision', 'ours, forest'):.3f}",
        "AP best cleanlab": f"{_mean(trials, 'average_precision', theirs):.3f} ({_name(theirs)})",
        "difference": _difference(trials, theirs),
        "AP best cleanlab, joined": (
            f"{_mean(trials, 'average_precision', joined):.3f} ({_name(joined)})"
        ),
        "difference, joined": _difference(trials, joined),
        "recall in 5%": f"{_mean(trials, 'recall', 'ours'):.2f}",
        "cleanlab's": f"{_mean(trials, 'recall', theirs):.2f}",
        "find_label_issues": _issues(trials),
    }
    for rate in RATES:
        cells[f"flagged at {rate:g}"] = _flags(trials, rate, published)
    cells["rate estimated"] = f"{np.mean([trial.rate for trial in trials]):.3f}"
    cells["seeds"] = str(seeds)
    print(*cells.values(), sep=" | ", file=sys.stderr, flush=True)
    return cells


def interval(differences, places=3):
    """Return mean and 95% interval of paired differences, by Student's t."""
    found = np.asarray(differences)
    half = 0.0
    if len(found) > 1:
        half = student.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    mean, low, high = (f"{each:+.{places}f}" for each in found.mean() + half * np.array([0, -1, 1]))
    return f"{mean} ({low} to {high})"


def _best(trials, ending, but):
    names = [name for name in trials[0].scores if name.endswith(ending) and but not in name]
    return max(names, key=lambda name: _mean(trials, "average_precision", name))


def _mean(trials, figure, name):
    return np.mean([getattr(trial, figure)(name) for trial in trials])


def _name(scorer):
    return scorer.split(",")[0].replace("_", " ")


def _difference(trials, theirs):
    pairs = [[trial.average_precision(name) for name in ("ours", theirs)] for trial in trials]
    return interval([ours - other for ours, other in pairs])


def _issues(trials):
    right = sum((trial.issues & trial.wrong).sum() for trial in trials)
    flagged = sum(trial.issues.sum() for trial in trials)
    planted = sum(trial.wrong.sum() for trial in trials)
    return f"precision {right / flagged:.2f}, recall {right / planted:.2f}"


def _flags(trials, rate, published):
    counted = np.array([_counts(trial, rate, published) for trial in trials])
    flagged, planted, suspect, expected = counted.T
    if not flagged.sum():
        return "none"
    told = {
        "planted": planted,
        "with those suspect": planted + suspect,
        "with those expected": planted + expected,
    }
    shares = ", ".join(f"{share(each, flagged)} {name}" for name, each in told.items())
    return f"{flagged.mean():.1f} a seed: {shares}"


def _counts(trial, rate, published):
    """Return how many are flagged, planted, suspect as published, and of these expected wrong."""
    flagged = trial.flagged[rate]
    doubts = published[flagged & ~trial.wrong]
    suspects = doubts[doubts > SUSPECT]
    return flagged.sum(), (flagged & trial.wrong).sum(), len(suspects), suspects.sum()


def share(parts, wholes):
    """Return the sum of the parts over that of the wholes, with its 95% interval over seeds."""
    ratio, n = parts.sum() / wholes.sum(), len(parts)
    half = 0.0
    if n > 1:
        squares = ((parts - ratio * wholes) ** 2).sum() * n / (n - 1)
        half = student.ppf(0.975, n - 1) * np.sqrt(squares) / wholes.sum()
    return f"{ratio:.2f} ({ratio - half:.2f} to {ratio + half:.2f})"
