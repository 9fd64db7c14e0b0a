import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import spearmanr

from mlcore.gp.acquisition import InformationRule, score_candidates
from mlcore.gp.bulk import BulkLatents
from mlcore.gp.fit import VoteGPConfig, fit_vote_gp

QUICK = VoteGPConfig(optimiser_steps=5, hyperparameter_labels=40)


def voted(n, tree, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 3))
    parts = []
    for part in tree.question_slices.values():
        width = part.stop - part.start
        truth = softmax(2.0 * features @ np.eye(3, width), axis=1)
        parts.append(rng.multinomial(rng.integers(0, 12, n), truth))
    return features, np.hstack(parts).astype(float)


class Slow:
    def __init__(self, gp, scatter_variance):
        self.latent, self.scatter_variance = gp.latent, scatter_variance


@pytest.mark.parametrize("max_exact", [1500, 30])
@pytest.mark.parametrize("kernel", ["matern52", "rbf"])
def test_latents_are_those_of_the_model(max_exact, kernel, branching_tree):
    config = VoteGPConfig(
        kernel, optimiser_steps=5, hyperparameter_labels=40, max_exact=max_exact, landmarks=40
    )
    features, counts = voted(120, branching_tree)
    gp = fit_vote_gp(features, counts, branching_tree, config, seed=0)
    at = np.random.default_rng(3).standard_normal((300, 3))
    bulk = BulkLatents.of(gp)
    (mean, variance), (expected, spread) = bulk.latent(at), gp.latent(at)
    np.testing.assert_allclose(mean, expected, atol=1e-3)
    assert np.abs(variance / spread - 1.0).mean() < 0.3
    assert (variance > 0).all()
    scores = score_candidates(bulk, at, branching_tree, InformationRule())
    model = Slow(gp, bulk.scatter_variance)
    assert (
        spearmanr(scores, score_candidates(model, at, branching_tree, InformationRule()))[0] > 0.98
    )
    assert bulk.scatter_variance.shape == (5,)


def test_with_every_direction_equally_noisy_votes_have_the_same_variances(
    one_question, monkeypatch
):
    monkeypatch.setattr("mlcore.gp.bulk.RAISED", 0.0)
    rng = np.random.default_rng(0)
    features = rng.standard_normal((80, 3))
    counts = np.tile([10.0, 10.0], (80, 1))
    counts[::2] = [11.0, 9.0]
    counts[::3] = [9.0, 11.0]
    gp = fit_vote_gp(features, counts, one_question(2), QUICK, seed=0)
    at = rng.standard_normal((50, 3))
    prior = gp.posteriors[0].prior_variance
    explained = 1.0 - BulkLatents.of(gp).latent(at)[1] / prior
    expected = 1.0 - gp.latent(at)[1] / prior
    np.testing.assert_allclose(explained, expected, atol=0.01)


def test_galaxies_without_usable_features_get_the_prior(branching_tree):
    features, counts = voted(60, branching_tree)
    gp = fit_vote_gp(features, counts, branching_tree, QUICK, seed=0)
    at = np.array([[0.1, 0.2, 0.3], [np.nan, 0.0, 0.0], [np.inf, 0.0, 0.0], [1e30, 0.0, 0.0]])
    mean, variance = BulkLatents.of(gp).latent(at)
    expected, spread = gp.latent(at)
    np.testing.assert_allclose(mean, expected, atol=1e-3)
    np.testing.assert_allclose(variance[1:], spread[1:], rtol=1e-4)


def test_questions_without_labels_keep_their_prior(branching_tree):
    features, counts = voted(60, branching_tree)
    counts[:, 3:] = 0
    gp = fit_vote_gp(features, counts, branching_tree, QUICK, seed=0)
    mean, variance = BulkLatents.of(gp).latent(features[:4])
    np.testing.assert_allclose(mean[:, 3:], gp.latent(features[:4])[0][:, 3:])
    assert (variance[:, 3:] == variance[0, 3:]).all()


def test_a_model_that_learned_nothing_and_no_galaxies(branching_tree):
    gp = fit_vote_gp(np.zeros((2, 3)), np.ones((2, 5)), branching_tree, QUICK, seed=0)
    bulk = BulkLatents.of(gp)
    mean, variance = bulk.latent(np.zeros((2, 3)))
    assert (mean[0] == mean[1]).all()
    assert (variance > 0).all()
    assert bulk.latent(np.empty((0, 3)))[0].shape == (0, 5)
