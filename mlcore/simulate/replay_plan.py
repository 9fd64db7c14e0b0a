"""How a replay is done, and how large its parts are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mlcore.errors import InvalidInputError, NotEnoughVotesError
from mlcore.round_plan import RoundConfig
from mlcore.train_config import TrainConfig

# In small folders shares are too few to learn from.
_LEAST_PANEL, _LEAST_ASKED, _FEW_ASKED = 10, 20, 60
# Pools smaller than this are trained on for fewer steps, in proportion.
_WHOLE_TRAINING_POOL = 2000
_LEAST_EPOCHS, _LEAST_PRETRAIN_STEPS = 3, 40


def _affordable() -> RoundConfig:
    """Return settings for 4,000 galaxies in less than 20 minutes on two processors."""
    return RoundConfig(folds=2, false_discovery_rate=0.1, train=TrainConfig(epochs=12))


@dataclass(frozen=True)
class ReplaySizes:
    """Galaxies in the control panel, and asked about in the first and each later round."""

    panel: int
    first: int
    later: int


@dataclass(frozen=True)
class ReplayPlan:
    """How a replay is done.

    Attributes
    ----------
    seed
        Of all its randomness but the test set's, which is the same for every seed; in
        [0, 2**32).
    rounds
        At least 2.
    first_share, later_share
        Share of the pool that the first round asks about, and each later one besides, where
        galaxies are asked about at random; the other arms get as many votes.
    panel_share
        Share of the pool in the control panel, which is asked about in the first round.
    votes_per_galaxy
        Votes that a galaxy gets once it is asked about at random, at least 3.
    retirement_votes
        Votes that a galaxy may get in all, at least `votes_per_galaxy`.
    planted_share
        Share of the pool that gets a wrong class.
    volunteers
        Size of the crowd.
    config
        Of every round; `sized` adapts it to the pool.

    Raises
    ------
    InvalidInputError
        When a rule above is broken.
    """

    seed: int = 0
    rounds: int = 2
    first_share: float = 0.05
    later_share: float = 0.1
    panel_share: float = 0.05
    votes_per_galaxy: int = 5
    retirement_votes: int = 40
    planted_share: float = 0.025
    volunteers: int = 300
    config: RoundConfig = field(default_factory=_affordable)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise InvalidInputError(f"seed must be in [0, 2**32), is {self.seed}")
        if self.rounds < 2:
            raise InvalidInputError(f"rounds must be at least 2, is {self.rounds}")
        for name in ("first_share", "later_share", "panel_share", "planted_share"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidInputError(f"{name} must be in (0, 1), is {getattr(self, name)}")
        for name, least, bound in (
            ("retirement_votes", 3, "volunteers"),
            ("votes_per_galaxy", 3, "retirement_votes"),
        ):
            value, most = getattr(self, name), getattr(self, bound)
            if not least <= value <= most:
                raise InvalidInputError(
                    f"{name} must be from {least} to {most} ({bound}), is {value}"
                )

    def sizes(self, pool: int) -> ReplaySizes:
        """Return how many of `pool` galaxies are asked about when.

        Where a share is fewer than 60 galaxies, 60 are asked about, as far as there are
        as many for every round.

        Raises
        ------
        NotEnoughVotesError
            Where a round would have fewer than 20 galaxies.
        """
        panel = max(round(self.panel_share * pool), _LEAST_PANEL)
        most = (pool - panel) // self.rounds
        if most < _LEAST_ASKED:
            least = _LEAST_PANEL + self.rounds * _LEAST_ASKED
            raise NotEnoughVotesError(
                f"galaxies outside the test set must be at least {least}, are {pool}"
            )
        first, later = (
            min(max(round(share * pool), _FEW_ASKED), most)
            for share in (self.first_share, self.later_share)
        )
        return ReplaySizes(panel, first, later)

    def sized(self, pool: int) -> RoundConfig:
        """Return the settings of a round for a pool of this size.

        The batch has the votes of a round. Few galaxies need fewer steps of training.
        """
        train = self.config.train
        share = min(1.0, pool / _WHOLE_TRAINING_POOL)
        return replace(
            self.config,
            batch=self.sizes(pool).later,
            retirement_votes=self.retirement_votes,
            expected_votes=self.votes_per_galaxy,
            train=replace(
                train,
                epochs=min(train.epochs, max(round(train.epochs * share), _LEAST_EPOCHS)),
                pretrain_steps=min(
                    train.pretrain_steps,
                    max(round(train.pretrain_steps * share), _LEAST_PRETRAIN_STEPS),
                ),
            ),
        )
