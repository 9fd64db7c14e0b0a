"""What the demonstration does, and what it has done so far."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from mlcore.files import write_json

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class DemoPlan:
    """The demonstration's size; fixed by `seed` but for the admin's password.

    Attributes
    ----------
    galaxies
        Galaxies drawn.
    image_size
        Side of the drawn images, pixels.
    volunteers
        Simulated volunteers.
    votes
        Classifications in total at the start of each round.
    planted
        Share of galaxies whose volunteers are shown to be wrong: they see another galaxy.
    gold
        Galaxies on which volunteers practise.
    retirement_votes
        Votes after which a galaxy retires.
    control_panel, control_share
        As on `lenticular.workflows.models.Workflow`.
    """

    seed: int = 2026
    galaxies: int = 1500
    image_size: int = 128
    volunteers: int = 120
    votes: tuple[int, ...] = (2800, 4600)
    planted: float = 0.025
    gold: int = 8
    retirement_votes: int = 10
    control_panel: float = 0.1
    control_share: float = 0.25


@dataclass
class DemoState:
    """Kept in a file between runs, so that a second run starts at once.

    Attributes
    ----------
    path
        The file; readable by its owner alone, because it holds the admin's password.
    """

    path: Path
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    volunteers: list[int] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    report: list[str] = field(default_factory=list)
    is_finished: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what is in the file, or a new state where there is none."""
        if not path.exists():
            return cls(path)
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(path, **document)

    def save(self) -> None:
        """Write the file, in one step."""
        document = asdict(self)
        del document["path"]
        write_json(self.path, document)
        self.path.chmod(0o600)
