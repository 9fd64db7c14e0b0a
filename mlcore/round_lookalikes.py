"""The guess beside a round's network: what the votes on look-alikes say.

See `mlcore.cnn.lookalikes`. It is part of the model, and what it says of galaxies whose own
votes it has not seen tells how far it may be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlcore.cnn.lookalikes import (
    MOST_LEARNED,
    LookalikeBasis,
    Lookalikes,
    unseen_fractions,
)
from mlcore.cnn.untaught import untaught
from mlcore.errors import InvalidInputError
from mlcore.round_catalogue import voted_rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.cnn.model import CnnModel
    from mlcore.images import ImageCache
    from mlcore.progress import OnProgress
    from mlcore.round_files import RoundFiles
    from mlcore.round_plan import RoundPlan


@dataclass(frozen=True)
class KnownLookalikes:
    """The training galaxies that look-alikes were learnt from.

    Attributes
    ----------
    places
        Which of the training galaxies (m,).
    basis
        Of them and their mirror images, shape (m, 2, p).
    counts
        Their votes (m, A).
    """

    places: NDArray[np.intp]
    basis: NDArray[np.float64]
    counts: NDArray[np.float64]

    def unseen(self, plan: RoundPlan) -> NDArray[np.float64]:
        """Return fractions (m, A), each galaxy's without its own votes."""
        folds = min(plan.config.folds, len(self.places))
        return unseen_fractions(
            self.basis,
            self.counts,
            plan.tree,
            folds=folds,
            seed=plan.seed,
            balance=plan.config.train.lookalike_balance,
        )


def ask_lookalikes(
    files: RoundFiles,
    cache: ImageCache,
    model: CnnModel,
    start_from: Path | None,
    on_progress: OnProgress,
) -> tuple[CnnModel, KnownLookalikes | None, str]:
    """Return the train stage's model with its look-alikes, and who they are, or None and why.

    A round goes on without them where galaxies cannot be told apart before any vote.
    """
    plan, config = files.plan, model.config
    if not config.lookalikes:
        return model, None, "the settings leave them out"
    features = untaught(config, model.network.shapes, start_from)
    if features is None:
        return model, None, "no encoder was pretrained, and the settings leave shape features out"
    rows, counts = voted_rows(files, "training", cache)
    places = np.arange(len(rows))
    if len(places) > MOST_LEARNED:
        chosen = np.random.default_rng(plan.seed).choice(len(rows), MOST_LEARNED, replace=False)
        places = np.sort(chosen)
    try:
        basis, known = LookalikeBasis.learn(
            features,
            cache,
            rows[places],
            config,
            seed=plan.seed,
            on_progress=on_progress,
            should_stop=files.should_stop,
        )
    except InvalidInputError as error:
        return model, None, f"galaxies cannot be told apart before any vote: {error}"
    counts = counts[places]
    taught = Lookalikes.taught(basis, known, counts, plan.tree, balance=config.lookalike_balance)
    return replace(model, lookalikes=taught), KnownLookalikes(places, known, counts), ""
