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
    untaught,
)
from mlcore.cnn.model import CnnModel
from mlcore.errors import InvalidInputError
from mlcore.round_catalogue import voted_rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlcore.images import ImageCache
    from mlcore.round_files import RoundFiles


@dataclass(frozen=True)
class SecondGuess:
    """What look-alikes say of training galaxies.

    Attributes
    ----------
    places
        Which of the training galaxies (m,).
    fractions
        Shape (m, A); each by a regression that has not seen the galaxy's own votes.
    """

    places: NDArray[np.intp]
    fractions: NDArray[np.float64]


def ask_lookalikes(
    files: RoundFiles,
    cache: ImageCache,
    start_from: Path | None,
    *,
    stage: str,
    start: float,
    end: float,
) -> tuple[SecondGuess | None, str]:
    """Give the train stage's model its look-alikes; return their guess, or None and why.

    A round goes on without them where galaxies cannot be told apart before any vote.
    """
    plan = files.plan
    directory = files.folder("train").path / "model"
    model = CnnModel.load(directory)
    config = model.config
    if not config.lookalikes:
        return None, "the settings leave them out"
    features = untaught(config, model.network.shapes, start_from)
    if features is None:
        return None, "no encoder was pretrained, and the settings leave shape features out"
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
            config.bands,
            seed=plan.seed,
            on_progress=files.part(stage, start, end),
            should_stop=files.should_stop,
        )
    except InvalidInputError as error:
        return None, f"galaxies cannot be told apart before any vote: {error}"
    counts = counts[places]
    taught = Lookalikes.taught(basis, known, counts, plan.tree)
    replace(model, lookalikes=taught).save_description(directory)
    said = unseen_fractions(
        known, counts, plan.tree, folds=min(plan.config.folds, len(places)), seed=plan.seed
    )
    return SecondGuess(places, said), ""
