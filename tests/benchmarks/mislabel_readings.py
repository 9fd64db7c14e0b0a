"""Precision against the promise on sdss_gz1, with the published labels read by eye.

`mislabel_readings.csv` has what three readers see on every galaxy that was flagged without
having been planted in any of 8 seeds of any kind (53), and on as many controls of the same
published classes, drawn by a hash of their ids from all others. They read in an order given by
another hash, and knew neither labels nor which were flagged. They were vision-language models, no
astronomers. An unplanted flag is right where at
least two of three see another class than was published.

*By the names* of the classes a disc seen from above is a spiral. The button of Galaxy Zoo 1 that
gave "edge-on" was also for spirals whose direction is unclear (Lintott et al. 2008, table 1):
*by the buttons* a disc without plain arms is rightly called spiral or edge-on.
"""

import csv
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from _mislabel_trials import RATES, run
from _planted import KINDS, MAIN_CLASSES, real_galaxies
from mislabels import SEEDS, share

TITLE = "Flags on sdss_gz1 that are right, 2.5% planted, the others read blind"
READINGS = Path(__file__).with_suffix(".csv")
READERS = ("first", "second", "third")
ELLIPTICAL, SPIRAL, EDGE_ON = sorted(set(MAIN_CLASSES.values()))
#: The classes that a reading agrees with; merger and unsure agree with any.
NAMES = {"elliptical": {ELLIPTICAL}, "spiral": {SPIRAL}, "disc": {SPIRAL}, "edge-on": {EDGE_ON}}
BUTTONS = NAMES | {"disc": {SPIRAL, EDGE_ON}}


def table():
    """Return a row for each kind and rate, and what the readers made of controls and edge-on."""
    galaxies = real_galaxies()
    if galaxies is None:
        return [{"kind": "sdss_gz1: not there"}]
    read = {row["objid"]: row for row in csv.DictReader(READINGS.read_text().splitlines())}
    wrong = [_called_wrong(galaxies, read, rule) for rule in (NAMES, BUTTONS)]
    rows = [row for kind in KINDS for row in _rows(galaxies, kind, set(read), wrong)]
    return [*rows, _controls(galaxies, read, wrong), *_told(galaxies, read)]


def _called_wrong(galaxies, read, rule):
    """Return the galaxies (n,) on which two of three readers see another class."""
    called = np.zeros(len(galaxies.ids), dtype=bool)
    for place, (objid, label) in enumerate(zip(galaxies.ids, galaxies.truth, strict=True)):
        seen = [read[objid][reader] for reader in READERS] if objid in read else []
        called[place] = sum(label not in rule.get(each, {label}) for each in seen) >= 2
    return called


def _rows(galaxies, kind, read, wrong):
    trials = [run(galaxies, kind, seed) for seed in range(SEEDS)]
    was_read = np.isin(galaxies.ids, list(read))
    rows = [_row(kind, rate, trials, was_read, wrong) for rate in RATES]
    print(*(" | ".join(row.values()) for row in rows), sep="\n", file=sys.stderr, flush=True)
    return rows


def _row(kind, rate, trials, was_read, wrong):
    flagged = np.array([trial.flagged[rate] for trial in trials])
    planted = np.array([trial.wrong for trial in trials])
    names, buttons = (flagged & (planted | each) for each in wrong)
    totals = flagged.sum(axis=1)
    return {
        "kind": kind,
        "rate": f"{rate:g}",
        "flags a seed": f"{totals.mean():.1f}",
        "not planted": str((flagged & ~planted).any(axis=0).sum()),
        "not read": str((flagged & ~planted & ~was_read).sum()),
        "planted": share((flagged & planted).sum(axis=1), totals),
        "or another class by name": share(names.sum(axis=1), totals),
        "or by button": share(buttons.sum(axis=1), totals),
    }


def _controls(galaxies, read, wrong):
    """Return how many of the controls are called another class."""
    controls = np.isin(galaxies.ids, [each for each in read if read[each]["why"] == "control"])
    names, buttons = (f"{(controls & each).sum() / controls.sum():.2f}" for each in wrong)
    return _remark("controls", str(controls.sum()), names, buttons)


def _told(galaxies, read):
    """Yield how often readers agree, and how many "edge-on" galaxies two of three call discs."""
    for one, other in combinations(READERS, 2):
        agree = np.mean([row[one] == row[other] for row in read.values()])
        yield _remark(f"{one} and {other} reader agree", f"{agree:.2f}")
    label_of = dict(zip(galaxies.ids, galaxies.truth, strict=True))
    for why in ("flagged", "control"):
        rows = [row for objid, row in read.items() if row["why"] == why]
        edge_on = [row for row in rows if label_of.get(row["objid"]) == EDGE_ON]
        discs = sum(
            sum(row[reader] in {"disc", "spiral"} for reader in READERS) >= 2 for row in edge_on
        )
        yield _remark(f"edge-on, {why}, called discs", f"{discs} of {len(edge_on)}")


def _remark(kind, found, names="", buttons=""):
    return {
        "kind": kind,
        "rate": "",
        "flags a seed": "",
        "not planted": found,
        "not read": "",
        "planted": "",
        "or another class by name": names,
        "or by button": buttons,
    }
