"""What reviewing the flagged is worth: contamination with its interval, and a better model.

The oracle gives the published class. The labels of sdss_gz1's "judged" part (or the drawn
survey) get flips; the most suspect in a 5% budget are reviewed, and 100 more at random: half
among the next 15%, half among the rest. Three models on the rings then learn from the labels
as given, from those mended by the review of the most suspect, and from the true ones, and
answer for galaxies kept apart. "On true labels" is their accuracy by the oracle. Cheng et al.
2020 had no oracle: they measured against given labels before, and mended the test set's labels
with the others. So the test set's labels are spoilt and reviewed in the same way here, by
themselves, and "as Cheng et al." is the accuracy against them as given, then as mended.
"""

import os
import sys
from dataclasses import dataclass

import numpy as np
from _mislabel_trials import BUDGET, question_of, run
from _planted import drawn_galaxies, forest, real_galaxies, spoil
from mislabels import interval
from sklearn.neighbors import KNeighborsClassifier

from mlcore.gp.reduce import Reducer
from mlcore.gp.vote_regression import RegressionConfig, fit_vote_regression, kernel_basis
from mlcore.votes.contamination import Stratum, contamination

TITLE = "What a review is worth: contamination, and accuracy on a clean test set"
SEEDS = int(os.environ.get("LENTICULAR_BENCH_SEEDS", "8"))
KINDS, NEXT, AUDITED, REPLAYS = ("uniform flips", "confusable flips"), 0.15, 50, 400
RATES = (0.005, 0.01, 0.025, 0.05, 0.1)


@dataclass(frozen=True)
class Review:
    """Labels (n,) as given, mended by the review, and true; and who was wrong, in its order."""

    given: np.ndarray
    mended: np.ndarray
    true: np.ndarray
    share: object
    wrong: float

    def right(self, labels):
        """Return how many of these labels are right."""
        return np.mean(labels == self.true)


def table():
    """Return the rows of each survey and kind, and one for each true rate of the replays."""
    surveys = [(drawn_galaxies(), drawn_galaxies(1000, 2029))]
    if real_galaxies() is not None:
        surveys.append((real_galaxies(), real_galaxies("chosen-on")))
    rows = [row for each in surveys for kind in KINDS for row in rows_of(*each, kind, SEEDS)]
    blank = dict.fromkeys(rows[0], "")
    return rows + [{**blank, **replayed(rate, REPLAYS)} for rate in RATES]


def rows_of(galaxies, test, kind, seeds):
    """Return a row for each model, over so many seeds of one kind of wrong labels."""
    reviews = [
        (reviewed(galaxies, kind, seed), reviewed(test, kind, seed)) for seed in range(seeds)
    ]
    rows = []
    for name in MODELS:
        found = [answers(name, (galaxies, test), both, seed) for seed, both in enumerate(reviews)]
        cells = _gain(found, reviews) | _shares([ours for ours, _ in reviews])
        rows.append({"what": f"{galaxies.name}, {kind}, {name}", **cells})
        print(*rows[-1].values(), sep=" | ", file=sys.stderr, flush=True)
    return rows


def reviewed(galaxies, kind, seed):
    """Spoil the labels, review the most suspect, and 100 others at random."""
    spoilt, trial = spoil(galaxies, kind, seed), run(galaxies, kind, seed)
    order = np.argsort(-trial.scores["ours"], kind="stable")
    mended = spoilt.labels.copy()
    flagged = order[: round(BUDGET * len(order))]
    mended[flagged] = galaxies.truth[flagged]
    share = audited(spoilt.wrong, order, np.random.default_rng(seed))
    return Review(spoilt.labels, mended, galaxies.truth, share, spoilt.wrong.mean())


def answers(name, surveys, reviews, seed):
    """Return the accuracies of one model: trained on given, mended and true labels.

    Of two surveys it learns from the first. Five accuracies: these three by the true labels of
    the second, then the first by its labels as given, and the second by those as mended.
    """
    (galaxies, test), (ours, theirs) = surveys, reviews
    said = [
        MODELS[name](galaxies, labels, test, seed)
        for labels in (ours.given, ours.mended, ours.true)
    ]
    right = [np.mean(each == theirs.true) for each in said]
    return [*right, np.mean(said[0] == theirs.given), np.mean(said[1] == theirs.mended)]


def _gain(found, reviews):
    before, after, best, given, mended = np.array(found).T
    ours, theirs = zip(*reviews, strict=True)
    labels = [
        f"{np.mean([each.right(each.given) for each in part]):.4f} to "
        f"{np.mean([each.right(each.mended) for each in part]):.4f}"
        for part in (ours, theirs)
    ]
    return {
        "labels right": labels[0],
        "before, on true labels": f"{before.mean():.4f}",
        "after": f"{after.mean():.4f}",
        "gain": interval(after - before, 4),
        "learnt from true labels": f"{best.mean():.4f}",
        "gain of that": interval(best - before, 4),
        "as Cheng et al.": f"{given.mean():.4f} to {mended.mean():.4f}",
        "gain so": interval(mended - given, 4),
        "test labels right": labels[1],
    }


def _shares(reviews):
    shares = [each.share for each in reviews]
    covered = [each.share.lower <= each.wrong <= each.share.upper for each in reviews]
    return {
        "contamination": f"{np.mean([each.estimate for each in shares]):.4f}",
        "interval's width": f"{np.mean([each.upper - each.lower for each in shares]):.4f}",
        "covered": f"{sum(covered)} of {len(covered)}",
    }


def _forest(galaxies, labels, test, seed):
    return forest(seed).fit(galaxies.shapes, labels).predict(test.shapes)


def _regression(galaxies, labels, test, seed):
    known, asked = _reduced(galaxies, test)
    basis = kernel_basis(
        np.concatenate([known, asked]), 256, seed, among=np.arange(len(known), dtype=np.int64)
    )
    votes = np.eye(galaxies.n_classes)[labels]
    found = fit_vote_regression(
        basis[: len(known)], votes, question_of(galaxies.n_classes), RegressionConfig()
    )
    return found.mean_fractions(basis[len(known) :]).argmax(axis=1)


def _nearest(galaxies, labels, test, _seed):
    known, asked = _reduced(galaxies, test)
    return KNeighborsClassifier(1).fit(known, labels).predict(asked)


def _reduced(galaxies, test):
    reducer = Reducer.fit(galaxies.shapes)
    return reducer.transform(galaxies.shapes), reducer.transform(test.shapes)


MODELS = {"forest": _forest, "regression": _regression, "nearest neighbour": _nearest}


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
        "contamination": f"{estimate:.4f}",
        "interval's width": f"{width:.4f}",
        "covered": f"{covered:.3f} of {replays}",
    }
