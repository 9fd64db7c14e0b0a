"""Kernel hyperparameters by type-II maximum likelihood, through gpytorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gpytorch
import numpy as np
import torch
from linear_operator.utils.errors import NanError, NotPSDError

from mlcore.gp.targets import SMALLEST_NOISE
from mlcore.progress import ShouldStop, stop_if_asked

if TYPE_CHECKING:
    from mlcore.gp.arrays import Floats

KERNELS = ("matern52", "rbf")
LEARNING_RATE = 0.1
_RATES = {"matern52": 5.0**0.5, "rbf": 0.5**0.5}


@dataclass(frozen=True)
class Hyperparameters:
    """What the kernel of one question's GP has learned, for standardised targets.

    Parameters
    ----------
    kernel
        ``matern52`` or ``rbf``.
    lengthscale
        One length for all dimensions and answers, in feature units.
    outputscale
        Variance (K,) of each answer's smooth function.
    scatter
        Variance (K,) of a galaxy about that function: what its looks do not tell.
    steps
        Optimiser steps behind it.
    """

    kernel: str
    lengthscale: float
    outputscale: Floats
    scatter: Floats
    steps: int = 0

    @property
    def is_finite(self) -> bool:
        """Whether every number is finite."""
        values = np.hstack([self.lengthscale, self.outputscale, self.scatter])
        return bool(np.isfinite(values).all())


def correlation(left: Floats, right: Floats, hyper: Hyperparameters) -> torch.Tensor:
    """Return the kernel's correlation (m, n) between features (m, d) and (n, d)."""
    return correlate(torch.cdist(torch.from_numpy(left), torch.from_numpy(right)), hyper)


def correlate(distances: torch.Tensor, hyper: Hyperparameters) -> torch.Tensor:
    """Return the correlation at `distances`, in feature units, which are overwritten."""
    scaled = distances.mul_(_RATES[hyper.kernel] / hyper.lengthscale)
    if hyper.kernel == "rbf":
        return scaled.square_().neg_().exp_()
    decay = torch.neg(scaled).exp_()
    return (scaled + 1.0).addcmul_(scaled, scaled, value=1.0 / 3.0).mul_(decay)


class _VoteRegression(gpytorch.models.ExactGP):
    """Independent answers that share a lengthscale but not a variance."""

    def __init__(
        self, inputs: torch.Tensor, targets: torch.Tensor, likelihood: Any, kernel: Any
    ) -> None:
        super().__init__(inputs, targets, likelihood)
        batch = torch.Size([len(targets)])
        self.mean_module = gpytorch.means.ZeroMean(batch_shape=batch)
        self.covar_module = gpytorch.kernels.ScaleKernel(kernel, batch_shape=batch)

    def forward(self, inputs: torch.Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(
            self.mean_module(inputs), self.covar_module(inputs)
        )


def fit_hyperparameters(
    inputs: Floats,
    targets: Floats,
    noise: Floats,
    *,
    kernel: str,
    steps: int,
    should_stop: ShouldStop | None = None,
) -> Hyperparameters:
    """Fit the kernel of one question by `steps` of Adam on the marginal likelihood.

    It ends early, with the last kernel that was sound, at a step whose likelihood or
    kernel is not finite or whose matrix gpytorch finds indefinite: `steps` of the result
    says after how many.

    Parameters
    ----------
    inputs
        Features (n, d), finite, without duplicates.
    targets, noise
        Standardised targets and their noise variances (n, K).
    kernel
        ``matern52`` or ``rbf``.
    steps
        Optimiser steps; 0 keeps the starting point.
    should_stop
        Asked before each step.

    Raises
    ------
    CancelledError
        If `should_stop` says so.
    """
    start = _median_distance(inputs)
    model = _build(inputs, targets, noise, kernel, start)
    mll = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    model.train()
    with gpytorch.settings.fast_computations(
        covar_root_decomposition=False, log_prob=False, solves=False
    ):
        found = _read(model, kernel, 0)
        for step in range(1, steps + 1):
            stop_if_asked(should_stop, "fitting the Gaussian process")
            optimiser.zero_grad()
            if not _descend(model, mll):
                break
            optimiser.step()
            after = _read(model, kernel, step)
            if not after.is_finite:
                break
            found = after
    return found


def _descend(model: _VoteRegression, mll: Any) -> bool:
    """Compute the gradient of the loss; return whether the loss is finite."""
    try:
        loss = -mll(model(model.train_inputs[0]), model.train_targets).sum()
    except (NotPSDError, NanError):
        return False
    loss.backward()
    return bool(torch.isfinite(loss))


def _median_distance(inputs: Floats) -> float:
    """Return the median distance of up to 200 galaxies, or 1 when they coincide."""
    few = torch.from_numpy(inputs[:200])
    median = float(torch.pdist(few).median()) if len(few) > 1 else 0.0
    return median if median > 0 else 1.0


def _build(
    inputs: Floats, targets: Floats, noise: Floats, kernel: str, lengthscale: float
) -> _VoteRegression:
    batch = torch.Size([targets.shape[1]])
    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(
        noise=torch.from_numpy(np.maximum(noise.T, SMALLEST_NOISE)),
        learn_additional_noise=True,
        batch_shape=batch,
    )
    prior = gpytorch.priors.LogNormalPrior(float(np.log(lengthscale)), 1.0)
    base = (
        gpytorch.kernels.RBFKernel(lengthscale_prior=prior)
        if kernel == "rbf"
        else gpytorch.kernels.MaternKernel(nu=2.5, lengthscale_prior=prior)
    )
    data = torch.from_numpy(inputs), torch.from_numpy(np.ascontiguousarray(targets.T))
    model = _VoteRegression(*data, likelihood, base)
    model.double()
    base.lengthscale = lengthscale
    model.covar_module.outputscale = torch.full(batch, 0.7, dtype=torch.float64)
    likelihood.second_noise = torch.full((*batch, 1), 0.2, dtype=torch.float64)
    return model


def _read(model: _VoteRegression, kernel: str, steps: int) -> Hyperparameters:
    scatter = model.likelihood.second_noise.detach().numpy().reshape(-1)
    return Hyperparameters(
        kernel=kernel,
        lengthscale=model.covar_module.base_kernel.lengthscale.item(),
        outputscale=model.covar_module.outputscale.detach().numpy().copy(),
        scatter=scatter.copy(),
        steps=steps,
    )
