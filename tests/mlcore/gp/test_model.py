import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from linear_operator.utils.errors import NotPSDError
from scipy.special import softmax

from mlcore.errors import CancelledError, FitError, InvalidInputError
from mlcore.gp.fit import VoteGPConfig, fit_vote_gp
from mlcore.gp.hyperparameters import Hyperparameters, correlation, fit_hyperparameters
from mlcore.gp.model import LatentLeaveOneOut
from mlcore.gp.posterior import exact_posterior
from mlcore.gp.targets import base_concentrations, dirichlet_targets

QUICK = VoteGPConfig(optimiser_steps=5, hyperparameter_labels=40)


def survey(n, n_answers, votes=10, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 3))
    truth = softmax(2.0 * features @ np.eye(3, n_answers), axis=1)
    return features, rng.multinomial(votes, truth).astype(float), truth


def regression(n, n_answers, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.05, 0.5, (n, n_answers))
    hyper = Hyperparameters(
        "matern52", 1.5, rng.uniform(0.5, 1.5, n_answers), np.full(n_answers, 0.1)
    )
    return rng.standard_normal((n, 2)), rng.standard_normal((n, n_answers)), noise, hyper


def test_targets_match_the_gamma_in_mean_and_variance():
    targets, noise = dirichlet_targets(np.array([[3.0, 0.0]]), np.array([0.5, 0.5]))
    alpha, total = np.array([[3.5, 0.5]]), 4.0
    np.testing.assert_allclose(np.exp(targets + noise / 2), alpha / total)
    np.testing.assert_allclose(np.expm1(noise) * alpha**2, alpha)


def test_many_votes_are_less_noisy_than_few():
    _, noise = dirichlet_targets(np.array([[2.0, 1.0], [28.0, 12.0]]), np.ones(2))
    assert (noise[1] < 0.25 * noise[0]).all()


def test_an_answer_that_nobody_gave_stays_possible():
    prior = base_concentrations(np.array([[1000.0, 0.0]]), 2.0)
    assert prior.sum() == pytest.approx(2.0)
    assert prior.min() > 0.05


def test_leave_one_out_is_what_refitting_without_the_galaxy_predicts():
    x, y, noise, hyper = regression(12, 2)
    _, left_out = exact_posterior(x, y, noise, hyper, np.arange(len(x)))
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        refit, _ = exact_posterior(x[rest], y[rest], noise[rest], hyper, np.arange(len(x) - 1))
        mean, variance = refit.latent(x[i : i + 1])
        expected = variance[0] + hyper.scatter + noise[i]
        np.testing.assert_allclose(left_out.mean[i], mean[0], atol=1e-4)
        np.testing.assert_allclose(left_out.variance[i], expected, atol=0.02)


@pytest.mark.parametrize("kernel", ["rbf", "matern52"])
def test_kernels_are_fitted_and_stay_positive(kernel):
    x, y, noise, _ = regression(30, 2)
    hyper = fit_hyperparameters(x, y, noise, kernel=kernel, steps=3)
    assert hyper.lengthscale > 0
    assert (hyper.outputscale > 0).all()
    np.testing.assert_allclose(np.diag(correlation(x, x, hyper).numpy()), 1.0, atol=1e-6)


def test_learns_the_fractions_of_galaxies_it_has_not_seen(one_question):
    features, counts, _ = survey(250, 3)
    gp = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    new, _, truth = survey(200, 3, seed=5)
    predicted = gp.mean_fractions(new)
    error = np.sqrt(np.mean((predicted - truth) ** 2))
    flat = np.sqrt(np.mean((counts.mean(axis=0) / 10 - truth) ** 2))
    assert error < 0.4 * flat
    np.testing.assert_allclose(predicted.sum(axis=1), 1.0)


def test_beyond_the_exact_limit_it_predicts_much_the_same(one_question):
    features, counts, _ = survey(200, 3)
    sparse = VoteGPConfig(optimiser_steps=5, hyperparameter_labels=40, max_exact=50, landmarks=60)
    exact = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    approximate = fit_vote_gp(features, counts, one_question(3), sparse, seed=1)
    gap = exact.mean_fractions(features) - approximate.mean_fractions(features)
    assert np.abs(gap).mean() < 0.03


def test_draws_do_not_depend_on_the_chunk_and_follow_the_seed(one_question):
    features, counts, _ = survey(60, 3)
    gp = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    many = np.tile(features, (20, 1))
    draws = gp.sample_fractions(many, 6, seed=3)
    assert draws.shape == (6, 1200, 3)
    np.testing.assert_allclose(draws[:, :60], draws[:, 1140:], atol=1e-10)
    np.testing.assert_allclose(draws, gp.sample_fractions(many, 6, seed=3))
    assert gp.sample_fractions(np.empty((0, 3)), 6, seed=3).shape == (6, 0, 3)


def test_joint_draws_have_the_marginals_and_move_together(one_question):
    features, counts, _ = survey(40, 2)
    gp = fit_vote_gp(features, counts, one_question(2), QUICK, seed=1)
    pair = np.array([[3.0, 3.0, 3.0], [3.001, 3.0, 3.0], [-3.0, 0.0, 3.0]])
    joint = gp.sample_fractions(pair, 2000, seed=0, joint=True)
    alone = gp.sample_fractions(pair, 2000, seed=0)
    np.testing.assert_allclose(joint.mean(axis=0), alone.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(joint.std(axis=0), alone.std(axis=0), atol=0.03)
    assert np.corrcoef(joint[:, 0, 0], joint[:, 1, 0])[0, 1] > 0.98
    covariance = gp.covariance(pair)
    assert covariance[0, 1] > 0.98 * covariance[0, 0]
    assert covariance[0, 2] < 0.6 * covariance[0, 0]


@pytest.mark.parametrize("n_draws", [1, 2, 7])
def test_leave_one_out_means_are_those_of_the_draws_one_by_one(branching_tree, n_draws):
    features, counts, _ = survey(30, 5)
    gp = fit_vote_gp(features, counts, branching_tree, QUICK, seed=1)
    half = np.random.default_rng(4).standard_normal(((n_draws + 1) // 2, 5))
    normals = np.concatenate([half, -half])[:n_draws]
    mean, spread = gp.left_out.mean, np.sqrt(gp.left_out.variance)
    expected = np.empty((30, 5))
    for columns in branching_tree.question_slices.values():
        draws = [softmax((mean + spread * each)[:, columns], axis=1) for each in normals]
        expected[:, columns] = np.mean(draws, axis=0)
    np.testing.assert_allclose(gp.leave_one_out_means(n_draws, 4), expected, rtol=1e-12)


def test_leave_one_out_means_hold_a_draw_at_a_time(one_question):
    features, counts, _ = survey(20, 3)
    small = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    left_out = LatentLeaveOneOut(np.zeros((20_000, 3)), np.ones((20_000, 3)))
    gp = replace(small, left_out=left_out)
    tracemalloc.start()
    try:
        gp.leave_one_out_means(128, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * left_out.mean.nbytes


def test_duplicates_are_merged_and_their_votes_added(one_question):
    features, counts, _ = survey(20, 2)
    twice = fit_vote_gp(
        np.tile(features, (2, 1)), np.tile(counts, (2, 1)), one_question(2), QUICK, seed=1
    )
    once = fit_vote_gp(features, 2 * counts, one_question(2), QUICK, seed=1)
    np.testing.assert_allclose(twice.mean_fractions(features), once.mean_fractions(features))
    assert twice.leave_one_out().mean.shape == (40, 2)


@pytest.mark.parametrize(
    ("features", "counts"),
    [
        (np.empty((0, 3)), np.empty((0, 2))),
        (np.zeros((3, 3)), np.ones((3, 2))),
        (np.ones((30, 3)), np.ones((30, 2))),
        (np.full((30, 3), np.nan), np.ones((30, 2))),
        (np.random.default_rng(0).standard_normal((30, 3)), np.zeros((30, 2))),
        (np.random.default_rng(0).standard_normal((30, 3)), np.tile([9.0, 0.0], (30, 1))),
    ],
    ids=["none", "three", "constant", "nan", "zero votes", "all on one answer"],
)
def test_degenerate_surveys_give_finite_fractions(features, counts, one_question):
    gp = fit_vote_gp(features, counts, one_question(2), QUICK, seed=0)
    at = np.array([[0.0, 1.0, 2.0], [np.nan, 0.0, 0.0]])
    for fractions in (gp.mean_fractions(at), gp.leave_one_out_means(4, 0)):
        assert np.isfinite(fractions).all()
        np.testing.assert_allclose(fractions.sum(axis=-1), 1.0)


RANDOM = np.random.default_rng(0).standard_normal((30, 3))


@pytest.mark.parametrize(
    ("features", "counts", "reason"),
    [
        (RANDOM[:3], np.ones((3, 2)), "3 distinct galaxies with votes, 5 are needed"),
        (np.ones((30, 3)), np.ones((30, 2)), "1 distinct galaxies with votes, 5 are needed"),
        (
            np.full((30, 3), np.nan),
            np.ones((30, 2)),
            "0 distinct galaxies with votes, 5 are needed",
        ),
        (RANDOM, np.zeros((30, 2)), "0 distinct galaxies with votes, 5 are needed"),
        (RANDOM, np.tile([9.0, 0.0], (30, 1)), "all votes are for one answer"),
    ],
    ids=["three", "constant", "nan", "zero votes", "one answer"],
)
def test_says_why_a_question_could_not_be_learned(features, counts, reason, one_question):
    gp = fit_vote_gp(features, counts, one_question(2), QUICK, seed=0)
    assert gp.fallbacks == {"shape": reason}
    assert gp.has_learned == (reason == "all votes are for one answer")


def test_a_sound_fit_has_nothing_to_say(one_question):
    features, counts, _ = survey(60, 3)
    gp = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    assert gp.fallbacks == {}
    assert gp.has_learned


def test_a_question_that_cannot_be_fitted_keeps_its_prior(one_question, monkeypatch):
    features, counts, _ = survey(60, 3)

    def broken(*_, **__):
        raise FitError("the kernel of the galaxies must be finite, is not")

    monkeypatch.setattr("mlcore.gp.fit.exact_posterior", broken)
    gp = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    assert gp.fallbacks == {"shape": "the kernel of the galaxies must be finite, is not"}
    assert np.isfinite(gp.mean_fractions(features)).all()


def test_features_beyond_all_measure_are_no_trouble(one_question):
    features, counts, _ = survey(60, 3)
    features[0], features[1] = 1e300, -1e300
    gp = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    far = np.array([[1e300, 0.0, 0.0], [np.inf, 0.0, 0.0]])
    assert np.isfinite(gp.mean_fractions(far)).all()
    assert np.isfinite(gp.leave_one_out().mean).all()


def test_a_kernel_fit_that_leaves_the_finite_numbers_ends_with_the_last_sound_one():
    x, y, noise, _ = regression(30, 2)
    sound = fit_hyperparameters(x, y, noise, kernel="matern52", steps=3)
    assert sound.steps == 3
    y[0, 0] = 1e200
    stopped = fit_hyperparameters(x, y, noise, kernel="matern52", steps=3)
    assert stopped.steps < 3
    assert stopped.is_finite


def test_a_kernel_fit_on_an_indefinite_matrix_ends_with_the_last_sound_one(monkeypatch):
    x, y, noise, _ = regression(30, 2)

    def indefinite(*_, **__):
        raise NotPSDError("not positive definite after jitter")

    monkeypatch.setattr("gpytorch.mlls.ExactMarginalLogLikelihood.forward", indefinite)
    assert fit_hyperparameters(x, y, noise, kernel="rbf", steps=3).steps == 0


def test_the_record_says_that_a_kernel_fit_ended_early(one_question, monkeypatch):
    features, counts, _ = survey(60, 3)

    def indefinite(*_, **__):
        raise NotPSDError("not positive definite after jitter")

    monkeypatch.setattr("gpytorch.mlls.ExactMarginalLogLikelihood.forward", indefinite)
    gp = fit_vote_gp(features, counts, one_question(3), QUICK, seed=1)
    assert gp.fallbacks == {
        "shape": "the kernel is that of 0 of 5 steps, as the next was not finite"
    }
    assert gp.has_learned


def test_reports_each_question_and_stops_when_asked(branching_tree):
    features, counts, _ = survey(30, 3)
    votes = np.concatenate([counts, counts[:, :2]], axis=1)
    heard = []
    fit_vote_gp(
        features, votes, branching_tree, QUICK, seed=0, on_progress=lambda *call: heard.append(call)
    )
    assert heard == [("gp", 0.5, "smooth"), ("gp", 1.0, "bar")]
    with pytest.raises(CancelledError):
        fit_vote_gp(features, votes, branching_tree, QUICK, seed=0, should_stop=lambda: True)


@pytest.mark.parametrize(
    ("features", "counts"),
    [
        (np.zeros((4, 3)), np.ones((5, 2))),
        (np.zeros((4, 3)), -np.ones((4, 2))),
        (np.zeros((4, 3)), np.full((4, 2), np.nan)),
        (np.zeros((4, 3)), np.ones((4, 3))),
        (np.zeros(4), np.ones((4, 2))),
    ],
)
def test_impossible_input_is_refused(features, counts, one_question):
    with pytest.raises(InvalidInputError, match=r"(features|counts) must"):
        fit_vote_gp(features, counts, one_question(2), QUICK, seed=0)


def test_impossible_settings_are_refused():
    with pytest.raises(InvalidInputError, match="kernel must be one of"):
        VoteGPConfig(kernel="linear")
    with pytest.raises(InvalidInputError, match="sparse must be one of"):
        VoteGPConfig(sparse="dtc")
    with pytest.raises(InvalidInputError, match="max_exact must be at least 1, is 0"):
        VoteGPConfig(max_exact=0)
