"""``manage.py replay``: the loop offline, on galaxies for which the answer is known."""

from __future__ import annotations

import logging
import os
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
from mlcore.simulate.votes_replay import VotesPlan
from mlcore.simulate.votes_runs import run_votes_needed
from mlcore.simulate.votes_survey import drawn_survey, survey_of_folder
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

    from mlcore.simulate.replay_report import ReplayReport
    from mlcore.simulate.votes_survey import VoteSurvey

TREES = settings.ROOT / "fixtures" / "trees"
DRAWN_TREE = "gz-decals-5"
DRAWN_SEED = 11
INTERRUPTED = 130
SHOWN_REJECTIONS = 20
_FORMAT = "{desc:24}{percentage:3.0f}%|{bar:30}| {elapsed}{postfix}"


class Command(BaseCommand):
    help = "Run the loop on galaxies whose class is known, and compare it with random choice."
    requires_system_checks = ()
    plan = ReplayPlan()
    votes_plan = VotesPlan()

    def add_arguments(self, parser: ArgumentParser) -> None:
        galaxies = parser.add_mutually_exclusive_group(required=True)
        galaxies.add_argument(
            "--real", type=Path, metavar="DIR", help="Folder with labels.csv: id, class, image file"
        )
        galaxies.add_argument(
            "--drawn", type=int, metavar="N", help="N drawn galaxies; with --votes-needed"
        )
        parser.add_argument(
            "--votes-needed",
            action="store_true",
            help="Compare ways to spend votes, on features that are measured once",
        )
        parser.add_argument(
            "--seeds", type=int, default=8, metavar="N", help="With --votes-needed: from --seed on"
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

    def handle(self, *, json: Path | None, work: Path | None, **options: Any) -> None:
        stop_on_termination()
        try:
            _check(json, **options)
            run = self._votes_needed if options["votes_needed"] else self._replay
            with _work_folder(work) as directory, _quiet_root(), _Bars() as bars:
                document = run(directory, bars, **options)
            if json is not None:
                write_json(json, document)
                self.stdout.write(f"Written to {json}")
        except KeyboardInterrupt as stop:
            said = "What was done is kept." if work else "Nothing is kept; --work DIR keeps it."
            raise CommandError(f"Stopped. {said}", returncode=INTERRUPTED) from stop
        except (MlcoreError, OSError) as error:
            raise CommandError(str(error)) from error

    def _replay(
        self,
        directory: Path,
        bars: _Bars,
        *,
        real: Path,
        tree: str | None,
        seed: int,
        **_options: Any,
    ) -> dict[str, Any]:
        plan, asked = replace(self.plan, seed=seed), _tree(tree)
        result = replay(real, plan, directory, tree=asked, on_progress=bars.report)
        self._show(result)
        return result.to_dict()

    def _votes_needed(
        self, directory: Path, bars: _Bars, *, seed: int, seeds: int, **options: Any
    ) -> dict[str, Any]:
        result = run_votes_needed(
            _survey(directory, bars, **options),
            self.votes_plan,
            range(seed, seed + seeds),
            directory,
            workers=os.cpu_count() or 1,
            on_progress=bars.report,
        )
        self.stdout.write("\n".join(result.lines()))
        return result.to_dict()

    def _show(self, result: ReplayReport) -> None:
        for row in result.rejected[:SHOWN_REJECTIONS]:
            self.stderr.write(f"labels.csv line {row.line} ({row.id_str}): {row.reason}")
        if len(result.rejected) > SHOWN_REJECTIONS:
            self.stderr.write(f"and {len(result.rejected) - SHOWN_REJECTIONS} more rows")
        self.stdout.write("\n".join(result.lines()))


def _check(
    json: Path | None, *, drawn: int | None, votes_needed: bool, seeds: int, **_options: Any
) -> None:
    """Refuse options that do not go together, before the work and not after."""
    _require_folder(json)
    if drawn is not None and not votes_needed:
        raise InvalidInputError("--drawn must go with --votes-needed")
    if seeds < 1:
        raise InvalidInputError(f"--seeds must be at least 1, is {seeds}")


def _survey(
    directory: Path,
    bars: _Bars,
    *,
    real: Path | None,
    drawn: int | None,
    tree: str | None,
    **_options: Any,
) -> VoteSurvey:
    """Return the galaxies that the options name."""
    if real is not None:
        return survey_of_folder(real, directory, tree=_tree(tree), on_progress=bars.report)
    asked = DecisionTree.from_file(_tree_file(tree or DRAWN_TREE))
    return drawn_survey(asked, drawn or 0, DRAWN_SEED, on_progress=bars.report)


def _require_folder(file: Path | None) -> None:
    """Refuse a result file that could not be written, before the work and not after."""
    if file is not None and not file.parent.is_dir():
        raise InvalidInputError(f"--json must be in a folder that exists, is {file}")


def _tree(slug: str | None) -> DecisionTree | None:
    return None if slug is None else DecisionTree.from_file(_tree_file(slug))


def _tree_file(slug: str) -> Path:
    known = {path.stem: path for path in sorted(TREES.glob("*.json"))}
    if slug not in known:
        raise InvalidInputError(f"--tree must be one of {', '.join(known)}, is {slug!r}")
    return known[slug]


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
