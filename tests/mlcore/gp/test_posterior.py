import gpytorch
import numpy as np
import pytest
import torch

from mlcore.gp.hyperparameters import Hyperparameters, correlation
from mlcore.gp.posterior import exact_posterior, inducing_posterior

LANDMARKS = np.arange(0, 40, 5)


def regression(n=40, n_answers=2, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.05, 0.5, (n, n_answers))
    scales = rng.uniform(0.5, 1.5, n_answers)
    hyper = Hyperparameters("matern52", 1.5, scales, np.full(n_answers, 0.1))
    return rng.standard_normal((n, 2)), rng.standard_normal((n, n_answers)), noise, hyper


def at(m=20):
    return np.random.default_rng(9).standard_normal((m, 2))


def titsias(answer, problem, new):
    """The optimal variational posterior, written as in Titsias 2009, eq. 10, and dense."""
    x, y, noise, hyper = problem
    scale = hyper.outputscale[answer]
    k_uu = scale * correlation(x[LANDMARKS], x[LANDMARKS], hyper).numpy()
    k_uf = scale * correlation(x[LANDMARKS], x, hyper).numpy()
    k_nu = scale * correlation(new, x[LANDMARKS], hyper).numpy()
    weight = np.diag(1.0 / (noise[:, answer] + hyper.scatter[answer]))
    middle = np.linalg.inv(k_uu + k_uf @ weight @ k_uf.T)
    mean = k_nu @ middle @ k_uf @ weight @ y[:, answer]
    variance = scale - np.einsum("nu,uv,nv->n", k_nu, np.linalg.inv(k_uu) - middle, k_nu)
    return mean, variance


class VariationalGP(gpytorch.models.ApproximateGP):
    def __init__(self, inducing, kernel):
        distribution = gpytorch.variational.NaturalVariationalDistribution(len(inducing))
        strategy = gpytorch.variational.VariationalStrategy(
            self, inducing, distribution, learn_inducing_locations=False
        )
        super().__init__(strategy)
        self.mean_module = gpytorch.means.ZeroMean()
        self.covar_module = kernel

    def forward(self, inputs):
        return gpytorch.distributions.MultivariateNormal(
            self.mean_module(inputs), self.covar_module(inputs)
        )


def gpytorch_svgp(answer, problem, new):
    """What gpytorch's SVGP reaches in one natural step, exact for a Gaussian likelihood."""
    x, y, noise, hyper = problem
    kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=2.5)).double()
    kernel.outputscale = float(hyper.outputscale[answer])
    kernel.base_kernel.lengthscale = hyper.lengthscale
    model = VariationalGP(torch.from_numpy(x[LANDMARKS]), kernel).double()
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(
        torch.from_numpy(noise[:, answer] + hyper.scatter[answer])
    )
    elbo = gpytorch.mlls.VariationalELBO(likelihood, model, num_data=len(x))
    optimiser = gpytorch.optim.NGD(model.variational_parameters(), num_data=len(x), lr=1.0)
    model(torch.from_numpy(x))  # the first call sets the start
    loss = -elbo(model(torch.from_numpy(x)), torch.from_numpy(y[:, answer]))
    loss.backward()
    optimiser.step()
    model.eval()
    with torch.no_grad():
        found = model(torch.from_numpy(new))
        return found.mean.numpy(), found.variance.numpy()


@pytest.mark.parametrize("reference", [titsias, gpytorch_svgp])
def test_svgp_is_the_optimum_that_a_variational_fit_looks_for(reference):
    problem = regression()
    found, _ = inducing_posterior(*problem, LANDMARKS, sparse="svgp")
    mean, variance = found.latent(at())
    for answer in range(2):
        expected_mean, expected_variance = reference(answer, problem, at())
        np.testing.assert_allclose(mean[:, answer], expected_mean, atol=2e-3)
        np.testing.assert_allclose(variance[:, answer], expected_variance, atol=0.02)


@pytest.mark.parametrize("sparse", ["fitc", "svgp"])
def test_inducing_points_at_every_galaxy_give_the_exact_answer(sparse):
    problem = regression(n_answers=3)
    every = np.arange(40)
    exact, exact_left_out = exact_posterior(*problem, every)
    found, left_out = inducing_posterior(*problem, every, sparse=sparse)
    np.testing.assert_allclose(found.latent(at())[0], exact.latent(at())[0], atol=1e-3)
    np.testing.assert_allclose(found.latent(at())[1], exact.latent(at())[1], atol=0.02)
    np.testing.assert_allclose(left_out.mean, exact_left_out.mean, atol=1e-3)
    np.testing.assert_allclose(left_out.variance, exact_left_out.variance, rtol=1e-3)


@pytest.mark.parametrize("sparse", ["fitc", "svgp"])
def test_leave_one_out_is_what_the_other_galaxies_predict(sparse):
    x, y, noise, hyper = regression()
    _, left_out = inducing_posterior(x, y, noise, hyper, LANDMARKS, sparse=sparse)
    for i in (1, 7, 39):
        rest = np.arange(len(x)) != i
        places = np.flatnonzero(np.isin(np.flatnonzero(rest), LANDMARKS))
        refit, _ = inducing_posterior(x[rest], y[rest], noise[rest], hyper, places, sparse=sparse)
        mean, variance = refit.latent(x[i : i + 1])
        expected = variance[0] + hyper.scatter + noise[i]
        np.testing.assert_allclose(left_out.mean[i], mean[0], atol=1e-4)
        np.testing.assert_allclose(left_out.variance[i], expected, atol=0.02)


def test_fewer_landmarks_never_claim_more_certainty():
    problem = regression()
    full = exact_posterior(*problem, np.arange(40))[0].latent(at())
    few = exact_posterior(*problem, np.arange(8))[0].latent(at())
    np.testing.assert_allclose(few[0], full[0])
    assert (few[1] >= full[1] - 0.02).all()


@pytest.mark.parametrize("solve", [exact_posterior, inducing_posterior])
def test_galaxies_alike_to_the_last_digit_are_no_trouble(solve):
    x, y, noise, hyper = regression()
    x[1:20] = x[0] + 1e-12 * np.arange(1, 20)[:, None]
    posterior, left_out = solve(x, y, np.full_like(noise, 1e-4), hyper, np.arange(40))
    for found in (*posterior.latent(at()), left_out.mean, left_out.variance):
        assert np.isfinite(found).all()
    assert (left_out.variance > 0).all()
