"""One seed of one kind of wrong labels: our odds beside cleanlab's scores, on equal terms."""

import warnings
from dataclasses import dataclass

import numpy as np
from _planted import forest, spoil
from cleanlab.filter import find_label_issues
from cleanlab.multiannotator import get_label_quality_multiannotator
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from mlcore.gp.fit import fit_vote_gp
from mlcore.gp.mislabels import expected_false_discoveries, surprise
from mlcore.gp.predictive import certain_counts
from mlcore.tree import DecisionTree

FOLDS, BUDGET, RATES = 5, 0.05, (0.1, 0.2)
SCORERS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
GP_DRAWS = 128
# A forest of 100 trees cannot say how much below 1 in 100 a chance is.
TREES, FLOOR = 20.0, 0.05


@dataclass(frozen=True)
class Trial:
    """What one seed gave: scores by name, larger more suspect, and what was flagged.

    `flagged` has by rate which galaxies (n,) were flagged, and `issues` which ones
    `find_label_issues` found.
    """

    wrong: np.ndarray
    scores: dict
    flagged: dict
    issues: np.ndarray
    rate: float

    def average_precision(self, name):
        """Return the average precision of one ranking."""
        return average_precision_score(self.wrong, self.scores[name])

    def recall(self, name):
        """Return the share of the wrong ones within the review budget."""
        first = np.argsort(-self.scores[name], kind="stable")[: round(BUDGET * len(self.wrong))]
        return self.wrong[first].sum() / self.wrong.sum()


def question_of(n_answers):
    """Return a tree of one question with so many answers."""
    answers = [{"slug": f"a{i}", "text": {"en": f"a{i}"}} for i in range(n_answers)]
    question = {"slug": "shape", "text": {"en": "Shape?"}, "answers": answers}
    return DecisionTree.from_dict(
        {"slug": "shape", "name": "Shape", "start": "shape", "questions": [question]}
    )


def published_doubts(galaxies):
    """Return the probability (n,) that a label is wrong with every label as published."""
    counts = certain_counts(galaxies.truth, galaxies.n_classes)
    forests, means = _predictions(galaxies, galaxies.truth, counts, 1000)
    found = _ours(galaxies, counts, forests, means, 1000, certain=True)
    return 1.0 - found.local_false_discovery_rates()


def _predictions(galaxies, labels, counts, seed):
    """Return the forest's chances (n, K) out of fold, and the GP's means with each left out."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    forests = cross_val_predict(
        forest(seed), galaxies.pixels, labels, cv=folds, method="predict_proba"
    )
    gp = fit_vote_gp(galaxies.rings, counts, question_of(galaxies.n_classes), seed=seed)
    return forests, gp.leave_one_out_means(GP_DRAWS, seed)


def _ours(galaxies, counts, forests, means, seed, *, certain):
    tree, alpha = question_of(galaxies.n_classes), TREES * forests + FLOOR
    return surprise(counts, tree, concentrations=alpha, left_out=means, certain=certain, seed=seed)


def run(galaxies, kind, seed):
    """Spoil the labels, predict out of fold, and let everybody score the same predictions."""
    spoilt = spoil(galaxies, kind, seed)
    hard = kind.endswith("flips")
    counts = certain_counts(spoilt.labels, galaxies.n_classes) if hard else spoilt.counts
    forests, means = _predictions(galaxies, spoilt.labels, counts, seed)
    joined = (forests + means) / 2
    scores = _cleanlab("forest", spoilt, forests) | _cleanlab("joined", spoilt, joined)
    if not hard:
        scores["CROWDLAB, joined"] = _crowdlab(spoilt, joined)
    alone = _ours(galaxies, counts, forests, None, seed, certain=hard)
    ours = _ours(galaxies, counts, forests, means, seed, certain=hard)
    scores |= {"ours": ours.galaxy_scores(), "ours, forest": alone.galaxy_scores()}
    local = ours.local_false_discovery_rates()
    # One process: cleanlab would fork, and a fork of a process with threads may never return.
    found = find_label_issues(spoilt.labels, _normalised(forests), n_jobs=1)
    return Trial(
        spoilt.wrong,
        scores,
        {rate: expected_false_discoveries(local) <= rate for rate in RATES},
        found,
        float((1.0 - local).mean()),
    )


def _cleanlab(name, spoilt, chances):
    return {
        f"{scorer}, {name}": -get_label_quality_scores(
            spoilt.labels, _normalised(chances), method=scorer
        )
        for scorer in SCORERS
    }


def _crowdlab(spoilt, chances):
    """Return CROWDLAB's doubt of the votes' consensus, a column for each voter's turn."""
    votes = np.full((len(spoilt.labels), int(spoilt.counts.sum(axis=1).max())), np.nan)
    for row, counts in enumerate(spoilt.counts.astype(int)):
        given = np.repeat(np.arange(len(counts)), counts)
        votes[row, : len(given)] = np.random.default_rng(row).permutation(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_label_quality_multiannotator(votes, _normalised(chances), verbose=False)
    return -found["label_quality"]["consensus_quality_score"].to_numpy()


def _normalised(chances):
    return chances / chances.sum(axis=1, keepdims=True)
