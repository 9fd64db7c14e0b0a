"""Whether flags are as often right as promised, on drawn surveys that nothing was chosen on.

Drawn galaxies' labels are never wrong before they are spoilt, so that the planted alone are
right to flag. `mislabels` spoils one survey again and again, which says little of other
surveys; here each of many is spoilt by a few seeds, and the interval is over the surveys.

What is right of all flags together is told, and the false discovery rate as it is defined: the
mean over the trials of the share of flags that are false, 0 where nothing is flagged (Benjamini &
Hochberg 1995).
"""

import os
import sys

import numpy as np
from _mislabel_trials import RATES, run
from _planted import drawn_galaxies
from mislabels import CHOSEN, interval, share

SURVEYS = int(os.environ.get("LENTICULAR_BENCH_SURVEYS", "24"))
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "2"))
FIRST_SURVEY, GALAXIES = 3001, 2500
TITLE = f"Flags that are right, 2.5% planted: {SURVEYS} drawn surveys, {SEEDS} seeds each"


def table():
    """Return a row for each kind of wrong labels."""
    found = {kind: [] for kind in CHOSEN}
    for number in range(SURVEYS):
        galaxies = drawn_galaxies(GALAXIES, FIRST_SURVEY + number)
        for kind in CHOSEN:
            found[kind].append(_trials(galaxies, kind, number))
            print(number, kind, *_row(kind, found[kind]).values(), sep=" | ", file=sys.stderr)
    return [_row(kind, trials) for kind, trials in found.items()]


def _trials(galaxies, kind, number):
    seeds = range(SEEDS * number, SEEDS * (number + 1))
    return [run(galaxies, kind, seed) for seed in seeds]


def _row(kind, surveys):
    """Return the row of one kind from its trials, survey by survey."""
    every = [trial for trials in surveys for trial in trials]
    cells = {"kind": kind}
    for rate in RATES:
        flags = np.array([[_counts(trial, rate) for trial in trials] for trials in surveys])
        flagged, right = flags.sum(axis=1).T
        cells |= {
            f"flags a seed at {rate:g}": f"{flagged.sum() / len(every):.1f}",
            f"right of all at {rate:g}": share(right, flagged) if flagged.sum() else "none",
            f"false discovery rate at {rate:g}": _mean_of_false(flags),
        }
    return cells | {
        "AP": f"{np.mean([trial.average_precision('ours') for trial in every]):.3f}",
        "recall in 5%": f"{np.mean([trial.recall('ours') for trial in every]):.2f}",
        "share wrong, estimated": f"{np.mean([trial.rate for trial in every]):.3f}",
    }


def _counts(trial, rate):
    flagged = trial.flagged[rate]
    return flagged.sum(), (flagged & trial.wrong).sum()


def _mean_of_false(flags):
    """Return the mean share of false flags, given flags and right ones (surveys, seeds, 2)."""
    false = (flags[..., 0] - flags[..., 1]) / np.maximum(flags[..., 0], 1)
    return interval(false.mean(axis=1), places=2).replace("+", "")
