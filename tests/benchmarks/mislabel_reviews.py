"""What reviewing the flagged is worth: contamination with its interval, and a better model.

The oracle gives the published class. The labels of sdss_gz1's "judged" part (or the drawn
survey) get uniform flips; the most suspect in a 5% budget are reviewed, and 100 more at random:
half among the next 15%, half among the rest. A forest on the rings then learns from the labels
before and after the review, and from the true ones, and answers for galaxies kept apart.
"""

import os

import numpy as np
from _mislabel_trials import BUDGET, run
from _planted import drawn_galaxies, forest, real_galaxies, spoil
from mislabels import interval

from mlcore.gp.contamination import Stratum, contamination

TITLE = "What a review is worth: contamination, and accuracy on a clean test set"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
KIND, NEXT, AUDITED, REPLAYS = "uniform flips", 0.15, 50, 400
RATES = (0.005, 0.01, 0.025, 0.05, 0.1)


def table():
    """Return a row for each survey, and one for each true rate of the cheap replays."""
    surveys = [(drawn_galaxies(), drawn_galaxies(1000, 2029))]
    if real_galaxies() is not None:
        surveys.append((real_galaxies(), real_galaxies("chosen-on")))
    rows = [_reviewed(*each, SEEDS) for each in surveys]
    blank = dict.fromkeys(rows[0], "")
    return rows + [{**blank, **replayed(rate, REPLAYS)} for rate in RATES]


def _reviewed(galaxies, test, seeds):
    found = [_review(galaxies, test, seed) for seed in range(seeds)]
    before, after, best = np.array([each["accuracies"] for each in found]).T
    labels = np.mean([each["labels"] for each in found], axis=0)
    return {
        "what": f"{galaxies.name}, test {len(test.truth):,}",
        "labels right": f"{labels[0]:.4f}, reviewed {labels[1]:.4f}",
        "accuracy": f"{before.mean():.4f}",
        "after review": f"{after.mean():.4f}",
        "gain": interval(after - before),
        "true labels": f"{best.mean():.4f}",
        "replays": str(seeds),
        "contamination": f"{np.mean([each['share'].estimate for each in found]):.4f}",
        "interval's width": f"{np.mean([each['width'] for each in found]):.4f}",
        "coverage": f"{np.mean([each['covered'] for each in found]):.3f}",
    }


def _review(galaxies, test, seed):
    nobody = np.zeros(len(galaxies.truth), dtype=bool)
    spoilt, trial = spoil(galaxies, KIND, seed), run(galaxies, KIND, seed, nobody)
    order = np.argsort(-trial.scores["ours"], kind="stable")
    corrected = spoilt.labels.copy()
    flagged = order[: round(BUDGET * len(order))]
    corrected[flagged] = galaxies.truth[flagged]
    labels = (spoilt.labels, corrected, galaxies.truth)
    guesses = [forest(seed).fit(galaxies.shapes, each).predict(test.shapes) for each in labels]
    share = audited(spoilt.wrong, order, np.random.default_rng(seed))
    return {
        "accuracies": [np.mean(guess == test.truth) for guess in guesses],
        "labels": [np.mean(each == galaxies.truth) for each in labels[:2]],
        "share": share,
        "width": share.upper - share.lower,
        "covered": share.lower <= spoilt.wrong.mean() <= share.upper,
    }


def audited(wrong, order, rng):
    """Return the contamination that a review of the first 5% and 100 others finds."""
    n = len(order)
    parts = np.split(order, [round(BUDGET * n), round((BUDGET + NEXT) * n)])
    sizes = (len(parts[0]), *(min(AUDITED, len(part)) for part in parts[1:]))
    picks = [rng.choice(part, size, replace=False) for part, size in zip(parts, sizes, strict=True)]
    return contamination(
        [
            Stratum(len(part), len(pick), int(wrong[pick].sum()))
            for part, pick in zip(parts, picks, strict=True)
        ]
    )


def replayed(rate, replays, n=3000):
    """Return the coverage over cheap replays: scores of wrong labels lie 2.5 sigma higher."""
    rng, found = np.random.default_rng(7), []
    for _ in range(replays):
        wrong = rng.random(n) < rate
        order = np.argsort(-rng.normal(size=n) - 2.5 * wrong)
        share = audited(wrong, order, rng)
        covered = share.lower <= wrong.mean() <= share.upper
        found.append((share.estimate, share.upper - share.lower, covered))
    estimate, width, covered = np.mean(found, axis=0)
    return {
        "what": f"simulated, {rate:.1%} wrong",
        "replays": str(replays),
        "contamination": f"{estimate:.4f}",
        "interval's width": f"{width:.4f}",
        "coverage": f"{covered:.3f}",
    }
