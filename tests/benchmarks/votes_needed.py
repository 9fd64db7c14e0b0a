"""Votes that each way of spending them needs, on real galaxies and on drawn ones.

``LENTICULAR_BENCH_WORK`` names a folder that keeps finished seeds and the results as JSON;
``LENTICULAR_BENCH_SEEDS`` and ``LENTICULAR_BENCH_WORKERS`` say how many.
"""

import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
from mlcore.files import write_json
from mlcore.simulate.votes_replay import VotesPlan
from mlcore.simulate.votes_runs import run_votes_needed
from mlcore.simulate.votes_survey import drawn_survey, survey_of_folder
from mlcore.tree import DecisionTree

TITLE = "Votes needed for a share of the full pool's skill (mean of the seeds, 95% interval)"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
WORKERS = int(os.environ.get("LENTICULAR_BENCH_WORKERS", os.cpu_count() or 1))
WORK = os.environ.get("LENTICULAR_BENCH_WORK")
ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data")) / "sdss_gz1"
DRAWN, DRAWN_SEED = 4000, 11


def table():
    """Return one row for each survey and strategy."""
    with nullcontext(WORK) if WORK else tempfile.TemporaryDirectory() as work:
        return [*_real(Path(work)), *_drawn(Path(work))]


def _real(work):
    if not REAL.is_dir():
        return [_note(f"not measured: {REAL} is not there")]
    return measure(survey_of_folder(REAL, work), work)


def _drawn(work):
    tree = DecisionTree.from_file(ROOT / "fixtures" / "trees" / "gz-decals-5.json")
    return measure(drawn_survey(tree, DRAWN, DRAWN_SEED), work)


def measure(survey, work, plan=None, seeds=SEEDS):
    """Return one row for each strategy, and leave the whole report in `work`."""
    report = run_votes_needed(
        survey, plan or VotesPlan(), range(seeds), work, workers=WORKERS, on_progress=_say
    )
    write_json(work / f"votes-needed-{survey.name}.json", report.to_dict())
    print("\n".join(report.lines()), file=sys.stderr, flush=True)
    names = [curve.strategy for curve in report.results[0].curves]
    return [{"survey": survey.name, **report.votes_row(name)} for name in names]


def _note(text):
    blank = ("90%", "95%", "99%", "saved at 95%", "seeds worse")
    return {"survey": "sdss_gz1", "votes needed": text, **dict.fromkeys(blank, "")}


def _say(stage, fraction, message):
    print(f"{stage}: {fraction:.0%}, {message}", file=sys.stderr, flush=True)
