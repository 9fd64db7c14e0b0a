"""The votes' own likelihood: what is learned, what votes are worth, and bad input."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import softmax

from mlcore.errors import InvalidInputError
from mlcore.gp.vote_regression import (
    RegressionConfig,
    VoteRegression,
    _Likelihood,
    asked_curvature,
    curvature,
    effective_votes,
    fit_vote_regression,
    kernel_basis,
    posterior_covariance,
    question_votes,
)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def two_kinds(rng, number, votes):
    """Galaxies to the left say yes 9 times in 10, those to the right no."""
    features = rng.normal(size=(number, 2))
    yes = np.where(features[:, 0] < 0, 0.9, 0.1)
    said = rng.binomial(votes, yes)
    return features, yes, np.stack([said, votes - said], axis=1)


class TestEffectiveVotes:
    def test_first_vote_counts_in_full_and_none_for_nothing(self):
        assert effective_votes([0, 1], 0.3).tolist() == [0.0, 1.0]

    def test_independent_votes_all_count(self):
        assert effective_votes([3, 40], 0.0).tolist() == [3.0, 40.0]

    def test_votes_that_agree_always_are_one(self):
        assert effective_votes([3, 40], 1.0).tolist() == [1.0, 1.0]

    def test_is_the_design_effect(self):
        assert effective_votes(40, 0.5) == pytest.approx(40 / (1 + 39 * 0.5))


class TestKernelBasis:
    def test_products_are_the_kernel_where_every_galaxy_is_a_landmark(self, rng):
        features = rng.normal(size=(12, 3))
        basis = kernel_basis(features, 12, 0)
        kernel = basis @ basis.T
        assert np.diag(kernel) == pytest.approx(np.ones(12), abs=1e-4)
        near = np.linalg.norm(features[0] - features, axis=1).argsort()[1]
        assert kernel[0, near] == pytest.approx(np.sort(kernel[0])[-2])

    def test_a_galaxy_without_features_gets_zeros(self, rng):
        features = rng.normal(size=(5, 2))
        features[2, 1] = np.nan
        basis = kernel_basis(features, 3, 0)
        assert np.isfinite(basis).all()
        assert not basis[2].any()

    def test_duplicates_are_one_landmark(self):
        basis = kernel_basis(np.array([[0.0], [0.0], [1.0]]), 3, 0)
        assert basis.shape == (3, 2)
        assert basis[0] == pytest.approx(basis[1])

    def test_landmarks_come_from_the_rows_given(self, rng):
        features = rng.normal(size=(20, 2))
        few = np.arange(4)
        assert kernel_basis(features, 10, 0, among=few).shape == (20, 4)
        assert kernel_basis(features, 10, 0, among=few) == pytest.approx(
            kernel_basis(np.vstack([features[few], features]), 4, 0, among=few)[4:]
        )

    def test_refuses_features_that_are_nowhere_finite(self):
        with pytest.raises(InvalidInputError, match="must have a row that is finite"):
            kernel_basis(np.full((3, 2), np.nan), 2, 0)


class TestFit:
    def test_learns_fractions_from_one_vote_each(self, rng, one_question):
        tree = one_question(2)
        features, yes, counts = two_kinds(rng, 400, 1)
        basis = kernel_basis(features, 40, 0)
        model = fit_vote_regression(basis, counts, tree, RegressionConfig(landmarks=40))
        far = np.abs(features[:, 0]) > 0.7
        assert np.abs(model.mean_fractions(basis)[far, 0] - yes[far]).mean() < 0.12

    def test_fractions_of_every_question_sum_to_one(self, rng, branching_tree):
        basis = rng.normal(size=(30, 4))
        counts = rng.integers(0, 3, (30, 5))
        model = fit_vote_regression(basis, counts, branching_tree, RegressionConfig())
        fractions = model.mean_fractions(basis)
        assert fractions[:, :3].sum(axis=1) == pytest.approx(np.ones(30))
        assert fractions[:, 3:].sum(axis=1) == pytest.approx(np.ones(30))

    def test_a_question_without_votes_stays_even(self, rng, branching_tree):
        counts = np.zeros((6, 5))
        counts[:, 0] = 1
        model = fit_vote_regression(
            rng.normal(size=(6, 2)), counts, branching_tree, RegressionConfig()
        )
        assert model.mean_fractions(np.zeros((1, 2)))[0, 3:] == pytest.approx([0.5, 0.5])

    def test_no_votes_at_all(self, branching_tree):
        model = fit_vote_regression(
            np.empty((0, 2)), np.empty((0, 5)), branching_tree, RegressionConfig()
        )
        assert model.mean_fractions(np.ones((1, 2)))[0, :3] == pytest.approx([1 / 3] * 3)

    def test_one_class_only_is_finite_and_short_of_certain(self, rng, one_question):
        counts = np.tile([5, 0], (20, 1))
        model = fit_vote_regression(
            rng.normal(size=(20, 3)), counts, one_question(2), RegressionConfig()
        )
        sure = model.mean_fractions(np.zeros((1, 3)))[0, 0]
        assert 0.9 < sure < 1

    @pytest.mark.parametrize(
        ("basis", "counts", "said"),
        [
            (np.ones((2, 1)), np.ones((3, 2)), "basis must have 3 rows, has 2"),
            (np.ones((1, 1)), [[-1, 0]], "counts must be finite and at least 0"),
            (np.ones((1, 1)), [[np.nan, 0]], "counts must be finite and at least 0"),
            (np.ones((1, 1)), [[1, 1, 1]], "counts must have 2 columns, has 3"),
        ],
    )
    def test_refuses_bad_votes(self, one_question, basis, counts, said):
        with pytest.raises(InvalidInputError, match=said):
            fit_vote_regression(basis, counts, one_question(2), RegressionConfig())

    def test_the_gradient_is_that_of_the_loss(self, rng):
        problem = _Likelihood(
            rng.normal(size=(9, 3)), rng.random((9, 4)) * 3, rng.normal(size=4), 0.3
        )
        point = rng.normal(size=16)
        numeric = approx_fprime(point, lambda x: problem.loss(x)[0], 1e-6)
        assert problem.loss(point)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-4)


class TestPosterior:
    def test_variance_is_the_covariance_at_the_galaxy(self, rng, one_question):
        basis = rng.normal(size=(8, 3))
        counts = rng.integers(0, 4, (8, 2))
        model = fit_vote_regression(basis, counts, one_question(2), RegressionConfig())
        expected = np.einsum("ip,pr,ir->i", basis, model.covariance[0], basis)
        assert model.variance(basis)[:, 0] == pytest.approx(expected)

    def test_covariance_is_the_inverse_of_prior_and_curvature(self, rng):
        basis, seen = rng.normal(size=(7, 3)), rng.random((7, 2))
        found = posterior_covariance(basis, seen, 0.4)
        for place in range(2):
            precision = 0.4 * np.eye(3) + basis.T @ np.diag(seen[:, place]) @ basis
            assert found[place] @ precision == pytest.approx(np.eye(3), abs=1e-9)

    def test_draws_spread_as_the_variance_says(self, one_question):
        tree = one_question(2)
        model = VoteRegression(
            tree, RegressionConfig(), np.zeros((1, 2)), np.zeros(2), np.full((1, 1, 1), 0.25)
        )
        ((rows, draws),) = model.iterate_fractions(np.ones((3, 1)), 4000, 0)
        assert rows == slice(0, 3)
        contrast = np.log(draws[:, 0, 0] / draws[:, 0, 1])
        assert contrast.std() == pytest.approx(np.sqrt(2 * 0.25), rel=0.05)

    def test_draws_come_in_chunks(self, one_question):
        model = fit_vote_regression(
            np.ones((2, 1)), np.ones((2, 2)), one_question(2), RegressionConfig()
        )
        chunks = list(model.iterate_fractions(np.ones((1500, 1)), 2, 0))
        assert [rows.stop for rows, _ in chunks] == [1024, 1500]


class TestCurvature:
    def test_is_the_mean_eigenvalue_of_the_fisher_information(self, rng, one_question):
        fractions = softmax(rng.normal(size=(5, 4)), axis=1)
        for row, found in zip(fractions, curvature(fractions, one_question(4))[:, 0], strict=True):
            fisher = np.diag(row) - np.outer(row, row)
            assert found == pytest.approx(np.linalg.eigvalsh(fisher)[1:].sum() / 3)

    def test_counts_a_question_as_often_as_it_is_asked(self, branching_tree):
        fractions = np.array([[0.5, 0.25, 0.25, 0.5, 0.5]])
        asked = asked_curvature(fractions, branching_tree)[0]
        plain = curvature(fractions, branching_tree)[0]
        assert asked == pytest.approx(plain * [1.0, 0.25])

    def test_votes_by_question(self, branching_tree):
        assert question_votes(np.array([[1.0, 2, 3, 4, 5]]), branching_tree).tolist() == [[6, 9]]


class TestConfig:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"landmarks": 0}, "landmarks must be at least 1, is 0"),
            ({"max_steps": 0}, "max_steps must be at least 1, is 0"),
            ({"penalty": 0.0}, "penalty must be above 0, is 0.0"),
            ({"rho": 1.5}, r"rho must be in \[0, 1\], is 1.5"),
        ],
    )
    def test_refuses_bad_settings(self, settings, said):
        with pytest.raises(InvalidInputError, match=said):
            RegressionConfig(**settings)
