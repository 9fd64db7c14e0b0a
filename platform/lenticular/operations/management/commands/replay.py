"""``manage.py replay``: the whole loop offline, on real galaxies with published classes."""

from __future__ import annotations

import logging
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from lenticular.operations.processes import stop_on_termination
from mlcore.errors import InvalidInputError, MlcoreError
from mlcore.files import write_json
from mlcore.simulate.replay import replay
from mlcore.simulate.replay_plan import ReplayPlan
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

    from mlcore.simulate.replay_report import ReplayReport

TREES = settings.ROOT / "fixtures" / "trees"
INTERRUPTED = 130
SHOWN_REJECTIONS = 20
_FORMAT = "{desc:24}{percentage:3.0f}%|{bar:30}| {elapsed}{postfix}"


class Command(BaseCommand):
    help = "Run the loop on real galaxies whose class is known, and compare it with random choice."
    requires_system_checks = ()
    plan = ReplayPlan()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--real",
            type=Path,
            required=True,
            metavar="DIR",
            help="Folder with labels.csv: id, class, image file",
        )
        parser.add_argument("--tree", metavar="SLUG", help="A tree in fixtures/trees")
        parser.add_argument("--json", type=Path, metavar="FILE", help="Write the result here")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--work",
            type=Path,
            metavar="DIR",
            help="Keep the work here, so that a killed replay goes on; else a temporary folder",
        )

    def handle(
        self,
        *,
        real: Path,
        tree: str | None,
        json: Path | None,
        seed: int,
        work: Path | None,
        **_options: Any,
    ) -> None:
        stop_on_termination()
        try:
            _require_folder(json)
            plan, asked = replace(self.plan, seed=seed), _tree(tree)
            with _work_folder(work) as directory, _quiet_root(), _Bars() as bars:
                result = replay(real, plan, directory, tree=asked, on_progress=bars.report)
            self._show(result)
            if json is not None:
                write_json(json, result.to_dict())
                self.stdout.write(f"Written to {json}")
        except KeyboardInterrupt as stop:
            said = "What was done is kept." if work else "Nothing is kept; --work DIR keeps it."
            raise CommandError(f"Stopped. {said}", returncode=INTERRUPTED) from stop
        except (MlcoreError, OSError) as error:
            raise CommandError(str(error)) from error

    def _show(self, result: ReplayReport) -> None:
        for row in result.rejected[:SHOWN_REJECTIONS]:
            self.stderr.write(f"labels.csv line {row.line} ({row.id_str}): {row.reason}")
        if len(result.rejected) > SHOWN_REJECTIONS:
            self.stderr.write(f"and {len(result.rejected) - SHOWN_REJECTIONS} more rows")
        self.stdout.write("\n".join(result.lines()))


def _require_folder(file: Path | None) -> None:
    """Refuse a result file that could not be written, before the work and not after."""
    if file is not None and not file.parent.is_dir():
        raise InvalidInputError(f"--json must be in a folder that exists, is {file}")


def _tree(slug: str | None) -> DecisionTree | None:
    if slug is None:
        return None
    known = {path.stem: path for path in sorted(TREES.glob("*.json"))}
    if slug not in known:
        raise InvalidInputError(f"--tree must be one of {', '.join(known)}, is {slug!r}")
    return DecisionTree.from_file(known[slug])


@contextmanager
def _work_folder(work: Path | None) -> Iterator[Path]:
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="lenticular-replay-") as folder:
        yield Path(folder)


@contextmanager
def _quiet_root() -> Iterator[None]:
    """Keep Zoobot's running remarks, which it makes as the root logger, out of the bars."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.setLevel(level)


class _Bars:
    """One progress bar for each part of the replay, one after the other, on stderr."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._part = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def report(self, part: str, fraction: float, message: str) -> None:
        if self._bar is None or part != self._part:
            self.__exit__()
            self._bar = tqdm(total=100, desc=part.capitalize(), bar_format=_FORMAT, file=sys.stderr)
            self._part = part
        self._bar.set_postfix_str(message[:60], refresh=False)
        self._bar.update(100 * fraction - self._bar.n)
