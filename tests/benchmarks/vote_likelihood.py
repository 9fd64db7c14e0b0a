"""The votes' own likelihood beside Gaussian targets: skill on galaxies without votes.

Both see the same galaxies and votes of sdss_gz1, and are scored on others of the pool; the
replays' test set is not read.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import numpy as np
from whole_rounds import interval

from mlcore.gp.fit import VoteGPConfig, fit_vote_gp
from mlcore.simulate.votes_replay import VotesPlan, World
from mlcore.simulate.votes_survey import survey_of_folder

TITLE = "Skill from few votes, nats per volunteer: sdss_gz1, pool alone (means, 95% intervals)"
ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", ROOT.parent / "shared" / "data")) / "sdss_gz1"
SEEDS = range(100, 100 + int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8")))
SIZES = ((300, 1), (300, 40), (1000, 1), (1000, 3), (1000, 40), (2000, 1), (2000, 3), (2000, 40))
EXACT = VoteGPConfig(max_exact=1000, optimiser_steps=20)


def table():
    """Return one row for each number of galaxies and of votes on each."""
    if not REAL.is_dir():
        return [{"galaxies": f"not measured: {REAL} is not there"}]
    with tempfile.TemporaryDirectory() as work:
        survey = within_pool(survey_of_folder(REAL, Path(work)))
    worlds = [World.of(survey, VotesPlan(), seed) for seed in SEEDS]
    return [_row(survey, worlds, *size) for size in SIZES]


def within_pool(survey):
    """Return the survey without its test set; a quarter of the rest takes its place."""
    pool = np.flatnonzero(~survey.test)
    return replace(
        survey,
        features=survey.features[pool],
        fractions=survey.fractions[pool],
        test=np.arange(len(pool)) % 4 == 0,
    )


def _row(survey, worlds, galaxies, votes):
    pairs = [_skills(survey, world, galaxies, votes) for world in worlds]
    ours, theirs = np.transpose(pairs)
    return {
        "galaxies": f"{galaxies:,}",
        "votes on each": str(votes),
        "own likelihood (vote_regression)": interval(ours),
        "Gaussian targets (VoteGP)": interval(theirs),
        "difference": interval(ours - theirs),
        "seeds": str(len(SEEDS)),
    }


def _skills(survey, world, galaxies, votes):
    asked = np.where(np.arange(len(world.rows)) < galaxies, votes, 0)
    gp = fit_vote_gp(
        survey.features[world.rows[:galaxies]],
        world.record.counts(asked)[:galaxies],
        survey.tree,
        EXACT,
        seed=world.seed,
    )
    predicted = gp.mean_fractions(survey.features[survey.test])
    return world.score(world.fit(asked))[0], world.skill(predicted)
