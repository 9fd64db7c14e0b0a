"""The training loss: `mlcore.votes.likelihood`, differentiable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable


def torch_negative_log_likelihood(
    concentrations: torch.Tensor, counts: torch.Tensor, slices: Iterable[slice]
) -> torch.Tensor:
    """Return -log p of the votes, differentiable; the training loss.

    Parameters
    ----------
    concentrations
        Shape (n, A), positive.
    counts
        Shape (n, A), zero or more; fractions (weighted votes) are allowed.
    slices
        The columns of each question.

    Returns
    -------
    Tensor
        Shape (n, Q), in nats; zero where a question has no votes, empty for no rows, NaN
        where an input is NaN.
    """
    votes = torch.lgamma(concentrations + counts) - torch.lgamma(concentrations)
    votes = votes - torch.lgamma(counts + 1)
    log_likelihood = []
    for columns in slices:
        total = concentrations[:, columns].sum(dim=1)
        asked = counts[:, columns].sum(dim=1)
        of_totals = torch.lgamma(total) + torch.lgamma(asked + 1) - torch.lgamma(total + asked)
        log_likelihood.append(of_totals + votes[:, columns].sum(dim=1))
    return -torch.stack(log_likelihood, dim=1)
