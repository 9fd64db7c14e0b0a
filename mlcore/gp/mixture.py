"""How the votes on a galaxy come about, rightly or wrongly: one likelihood.

The models' guesses of a galaxy's class, as mean fractions m_s (s = CNN, GP), are pooled,

    g_z  proportional to  exp(b_z) prod_s m_sz ^ t_s

(a logarithmic opinion pool; Genest & Zidek 1986, Stat. Sci. 1, 114). Right votes k are those
of the galaxy's class z, whose typical fractions, its *profile* P_z, all galaxies share (Dawid &
Skene 1979). Where kinds are not sharp but graded, a galaxy is of several classes at once, in
shares that scatter about g by s on the logistic-normal scale (Aitchison & Shen 1980, Biometrika
67, 261), and is answered by its classes' profiles in these shares:

    p(k | right)  =  w sum_z g_z DM(k; A P_z)  +  (1 - w) E_e Mult(k; h P),
                                                  h = softmax(log g + s e),  e ~ N(0, 1)

with DM the Dirichlet-multinomial and the mean E over 64 fixed quasi-random points. The scatter
is even on that scale so that where g is sure people agree: about what looks like nothing else
they rarely differ, and a Dirichlet-multinomial of fixed width about g would have them differ
there as often as on doubtful galaxies, and take wrong votes for such a difference.

Of a share r of the galaxies the votes are wrong: a share
1 - u of these has another class's, sum_zy g_z T_zy DM(k; A P_y), and a share u has those of
people who did not look, DM(k; 1, .., 1), which mislead unless the galaxy's own class leads.

All of b, t, P, A, w, s, T, u and r are fitted to the votes at once, but for A where nobody
disagrees on any galaxy: such votes do not tell it. What keeps r and the tails of g apart is the
galaxies of whose class the models are sure: hardly any right vote contradicts them, and a share
r of all votes does. (Confident learning, Northcutt et al. 2021, JAIR 70, 1373, counts the same
contradictions.)
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.stats import norm, qmc
from torch.nn.functional import logsigmoid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlcore.gp.arrays import Floats

START_AGREEMENT = 0.8
START_RATE = 0.02
#: Prior on the rate: one wrong among fifty galaxies, as many galaxies strong.
PRIOR_WRONG, PRIOR_RIGHT = 1.0, 50.0
#: Prior strength of a class's profile, in votes, and of its swaps, in wrong labels.
PROFILE_VOTES, SWAP_LABELS = 10.0, 10.0
#: Certain labels: the share of votes that fall elsewhere, and how closely votes follow.
STRAY, CLOSELY, NEVER = 1e-6, 13.0, -30.0
TINY = 1e-12
SCATTER_POINTS = 64
MAX_STEPS = 300


class _Prior(NamedTuple):
    """Mean and spread of each scalar parameter, on the scale it is fitted on."""

    mean: float
    spread: float


_SCALARS = {
    "log_agreement": _Prior(3.0, 1.5),
    # Scattered much wider, any galaxy would be of any class, and no votes wrong.
    "log_scatter": _Prior(0.0, 0.5),
    "sharp": _Prior(0.0, 2.0),
    "careless": _Prior(-1.0, 1.5),
}


class LogTerms(NamedTuple):
    """Log probabilities (m, O) of vote counts: if right; right, and wrong, with their rates."""

    clean: torch.Tensor
    right: torch.Tensor
    wrong: torch.Tensor


@dataclass(frozen=True)
class VoteMixture:
    """The likelihood of one question's votes, with its parameters as tensors.

    Parameters
    ----------
    log_powers, biases
        log t (S,) and b (K,) of the pool.
    log_profiles, log_swaps
        log P (K, K) and log T (K, K), by rows.
    log_agreement, log_scatter
        log A and log s (1,).
    sharp, careless, rate
        Logits (1,) of w, u and r.
    """

    log_powers: torch.Tensor
    biases: torch.Tensor
    log_profiles: torch.Tensor
    log_swaps: torch.Tensor
    log_agreement: torch.Tensor
    log_scatter: torch.Tensor
    sharp: torch.Tensor
    careless: torch.Tensor
    rate: torch.Tensor

    @property
    def mislabel_rate(self) -> float:
        """Return r, the share of galaxies whose votes are not their own."""
        return float(torch.sigmoid(self.rate))

    def log_chances(self, log_means: torch.Tensor) -> torch.Tensor:
        """Return log g (n, K) from the log mean fractions (S, n, K) of each model."""
        pooled = (self.log_powers.exp()[:, None, None] * log_means).sum(dim=0)
        return torch.log_softmax(pooled + self.biases, dim=1)

    def log_terms(self, counts: torch.Tensor, log_chances: torch.Tensor) -> LogTerms:
        """Return the terms (m, O) of counts (m or 1, O, K) on galaxies with log g (m, K)."""
        log_g = log_chances[:, None, :]
        of_class = self._log_of_each_class(counts)
        sharp = torch.logsumexp(of_class + log_g, dim=2)
        clean = sharp if self.all_sharp else self._with_graded(counts, sharp, log_chances)
        swapped_to = torch.log(log_g.exp() @ self.log_swaps.exp() + TINY)
        swapped = logsigmoid(-self.careless) + torch.logsumexp(of_class + swapped_to, dim=2)
        blind = logsigmoid(self.careless) + _log_blind(counts)
        leads = counts == counts.max(dim=2, keepdim=True).values
        harmless = (log_g.exp() * leads).sum(dim=2).clamp(TINY, 1.0 - TINY)
        wrong = torch.logaddexp(swapped, blind + torch.log1p(-harmless))
        right = torch.logaddexp(
            logsigmoid(-self.rate) + clean, logsigmoid(self.rate) + blind + harmless.log()
        )
        return LogTerms(clean, right, logsigmoid(self.rate) + wrong)

    @property
    def all_sharp(self) -> bool:
        """Return whether w is 1."""
        return bool(self.sharp >= -NEVER)

    def log_graded_fractions(
        self, log_chances: torch.Tensor, scatter: torch.Tensor
    ) -> torch.Tensor:
        """Return log h P (m, S, K), of galaxies with log g (m, K), for e (S, K) or (m, S, K)."""
        log_h = torch.log_softmax(log_chances[:, None, :] + self.log_scatter.exp() * scatter, dim=2)
        return torch.log(log_h.exp() @ self.log_profiles.exp())

    def _with_graded(
        self, counts: torch.Tensor, sharp: torch.Tensor, log_chances: torch.Tensor
    ) -> torch.Tensor:
        """Return log p(k | right) (m, O), given that of the sharp kind (m, O)."""
        fractions = self.log_graded_fractions(log_chances, scatter_points(counts.shape[2]))
        of_point = counts @ fractions.transpose(1, 2)
        graded = torch.logsumexp(of_point, dim=2) - np.log(SCATTER_POINTS)
        graded = graded + _log_orders(counts)
        return torch.logaddexp(logsigmoid(self.sharp) + sharp, logsigmoid(-self.sharp) + graded)

    def _log_of_each_class(self, counts: torch.Tensor) -> torch.Tensor:
        """Return log DM(k; A P_z) (m or 1, O, K) of counts (m or 1, O, K)."""
        profiles = (self.log_agreement + self.log_profiles).exp()
        return torch.stack([log_dirichlet_multinomial(counts, each) for each in profiles], dim=2)


def log_dirichlet_multinomial(counts: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Return the log probability (..., O) of counts (..., O, K) under concentrations alpha.

    lnG(A) - lnG(n + A) + sum_i [lnG(k_i + a_i) - lnG(a_i)] plus the multinomial coefficient,
    with A = sum(a) above 0 and n = sum(k); alpha broadcasts against the counts.
    """
    total, votes = alpha.sum(dim=-1), counts.sum(dim=-1)
    logs = torch.lgamma(total) - torch.lgamma(votes + total)
    logs = logs + (torch.lgamma(counts + alpha) - torch.lgamma(alpha)).sum(dim=-1)
    return logs + _log_orders(counts)


@lru_cache(maxsize=64)
def scatter_points(n_answers: int) -> torch.Tensor:
    """Return points (S, K) that stand for a normal distribution: Sobol's, by its quantiles."""
    even = qmc.Sobol(n_answers, seed=0).random(SCATTER_POINTS)
    return torch.from_numpy(norm.ppf(even))


def _log_orders(counts: torch.Tensor) -> torch.Tensor:
    """Return the log (...) of the orders in which counts (..., K) can come about."""
    return torch.lgamma(counts.sum(dim=-1) + 1.0) - torch.lgamma(counts + 1.0).sum(dim=-1)


def _log_blind(counts: torch.Tensor) -> torch.Tensor:
    return log_dirichlet_multinomial(counts, torch.ones(counts.shape[-1], dtype=torch.float64))


def starting_mixture(n_models: int, base: Floats, swaps: Floats, *, certain: bool) -> VoteMixture:
    """Return the mixture before any vote is seen.

    Parameters
    ----------
    n_models
        S, pooled evenly.
    base
        The survey's vote fractions (K,), by which stray votes fall.
    swaps
        Expected T (K, K).
    certain
        Whether votes are labels without noise: every vote is its class's own answer.
    """
    eye = np.eye(len(base))
    agreement = 1.0 - STRAY if certain else START_AGREEMENT
    stray = np.full(len(base), 1.0 / len(base)) if certain else base
    return VoteMixture(
        log_powers=torch.full((n_models,), -float(np.log(max(n_models, 1))), dtype=torch.float64),
        biases=torch.zeros(len(base), dtype=torch.float64),
        log_profiles=torch.log(torch.from_numpy(agreement * eye + (1.0 - agreement) * stray)),
        log_swaps=torch.log(torch.from_numpy(swaps + TINY)),
        log_agreement=_scalar(CLOSELY if certain else _SCALARS["log_agreement"].mean),
        log_scatter=_scalar(_SCALARS["log_scatter"].mean),
        sharp=_scalar(-NEVER if certain else _SCALARS["sharp"].mean),
        careless=_scalar(NEVER if certain else _SCALARS["careless"].mean),
        rate=_scalar(np.log(START_RATE / (1.0 - START_RATE))),
    )


def fit_mixture(
    start: VoteMixture, counts: Floats, log_means: Floats, *, certain: bool
) -> VoteMixture:
    """Return the most probable mixture, by L-BFGS on the log posterior.

    Parameters
    ----------
    start
        Where to begin; it also centres the priors.
    counts
        Votes (n, K), every row with some.
    log_means
        Log mean fractions (S, n, K) of models that have not seen the galaxy's votes, finite.
    certain
        Whether votes are labels without noise; then profiles and all that says how votes
        scatter stay as they are.
    """
    votes, logs = torch.from_numpy(counts)[:, None, :], torch.from_numpy(log_means)
    kept = {"log_profiles", *_SCALARS} if certain else _untold(counts)
    fitted = [name for name in vars(start) if name not in kept]
    sizes = [vars(start)[name].numel() for name in fitted]

    def cost(vector: Floats) -> tuple[float, Floats]:
        point = torch.from_numpy(vector).requires_grad_()
        mixture = _moved(start, fitted, torch.split(point, sizes))
        terms = mixture.log_terms(votes, mixture.log_chances(logs))
        likelihood = torch.logaddexp(terms.right, terms.wrong).sum()
        loss = -(likelihood + _log_prior(mixture, start, certain=certain)) / len(counts)
        loss.backward()
        return loss.item(), point.grad.numpy() if point.grad is not None else 0.0 * vector

    first = torch.cat([vars(start)[name].flatten() for name in fitted]).numpy()
    with _one_thread():
        found = minimize(cost, first, jac=True, method="L-BFGS-B", options={"maxiter": MAX_STEPS})
    return _moved(start, fitted, torch.split(torch.from_numpy(found.x), sizes))


def _untold(counts: Floats) -> set[str]:
    """Return the parameters of which votes (n, K) tell nothing.

    Where nobody disagrees on any galaxy, votes that follow each other closely could be any
    class's: a small A would explain all wrong votes away.
    """
    agree = (counts.max(axis=1) == counts.sum(axis=1)).all()
    return {"log_agreement"} if agree else set()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: on arrays this small several wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _moved(start: VoteMixture, names: list[str], values: tuple[torch.Tensor, ...]) -> VoteMixture:
    """Return the start with the named parameters replaced, rows of P and T normalised."""
    found = {
        name: value.reshape(vars(start)[name].shape)
        for name, value in zip(names, values, strict=True)
    }
    if "log_profiles" in found:
        found["log_profiles"] = torch.log_softmax(found["log_profiles"], dim=1)
    found["log_swaps"] = _without_itself(found["log_swaps"])
    return VoteMixture(**(vars(start) | found))


def _without_itself(log_swaps: torch.Tensor) -> torch.Tensor:
    """Return T (K, K) with nothing on the diagonal, unless there is one class alone."""
    if len(log_swaps) == 1:
        return log_swaps
    itself = torch.eye(len(log_swaps), dtype=torch.bool)
    return torch.log_softmax(log_swaps.masked_fill(itself, -1e3), dim=1)


def _log_prior(mixture: VoteMixture, start: VoteMixture, *, certain: bool) -> torch.Tensor:
    log_prior = PRIOR_WRONG * logsigmoid(mixture.rate) + PRIOR_RIGHT * logsigmoid(-mixture.rate)
    log_prior = log_prior - 0.5 * (mixture.log_powers - start.log_powers).square().sum()
    log_prior = log_prior - 0.5 * mixture.biases.square().sum()
    log_prior = log_prior + SWAP_LABELS * (start.log_swaps.exp() * mixture.log_swaps).sum()
    if certain:
        return log_prior
    log_prior = log_prior + PROFILE_VOTES * (start.log_profiles.exp() * mixture.log_profiles).sum()
    for name, prior in _SCALARS.items():
        away = (getattr(mixture, name) - prior.mean) / prior.spread
        log_prior = log_prior - 0.5 * away.square()
    return log_prior


def _scalar(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)
