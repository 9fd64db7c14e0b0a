"""The seeds of a votes-needed replay, on several processors, each kept once it is done."""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from mlcore.errors import ArtefactError, InvalidInputError
from mlcore.files import read_json, write_json
from mlcore.progress import OnProgress, ShouldStop, report, stop_if_asked
from mlcore.simulate.votes_population import score_population
from mlcore.simulate.votes_replay import Curve, SeedResult, replay_seed
from mlcore.simulate.votes_report import VotesReport
from mlcore.simulate.votes_survey import SPLIT
from mlcore.stages import json_checksum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlcore.simulate.votes_replay import VotesPlan
    from mlcore.simulate.votes_survey import VoteSurvey

_STAGE = "votes needed"


def run_votes_needed(
    survey: VoteSurvey,
    plan: VotesPlan,
    seeds: Sequence[int],
    directory: Path,
    *,
    workers: int = 1,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> VotesReport:
    """Run every strategy for every seed, and check the population's fractions.

    Parameters
    ----------
    survey, plan
        As `mlcore.simulate.votes_replay.replay_seed` takes them.
    seeds
        At least one, all different.
    directory
        Gets a file for each seed; those that are there already, of the same survey and
        plan, are not run again.
    workers
        Processes, at least 1; 1 runs in this one.
    on_progress
        Called after each seed.
    should_stop
        Asked between seeds.

    Raises
    ------
    InvalidInputError
        For no seeds, repeated or negative ones, or fewer than 1 worker.
    CancelledError
        After `should_stop` said so; finished seeds are kept.
    """
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise InvalidInputError(f"seeds must be different, from 0 and at least 1, are {seeds}")
    if workers < 1:
        raise InvalidInputError(f"workers must be at least 1, is {workers}")
    directory.mkdir(parents=True, exist_ok=True)
    source = _checksum(survey, plan)
    found = {seed: _kept(directory, source, seed) for seed in seeds}
    results = {seed: result for seed, result in found.items() if result is not None}
    missing = [seed for seed in seeds if seed not in results]
    for result in _run(survey, plan, missing, workers):
        write_json(
            _file(directory, source, result.seed), {"source": source, "result": asdict(result)}
        )
        results[result.seed] = result
        report(on_progress, _STAGE, len(results) / len(seeds), f"seed {result.seed} done")
        stop_if_asked(should_stop, _STAGE)
    return VotesReport(
        survey=survey.name,
        results=tuple(results[seed] for seed in seeds),
        population=score_population(survey, plan, seeds),
        facts={"split": SPLIT, "tree": survey.tree.slug, "plan": asdict(plan)},
    )


def _run(
    survey: VoteSurvey, plan: VotesPlan, seeds: Sequence[int], workers: int
) -> Iterator[SeedResult]:
    """Yield results as they are done."""
    if workers == 1 or len(seeds) < 2:
        yield from (replay_seed(survey, plan, seed) for seed in seeds)
        return
    # Forking a process that has started threads, as torch does, may hang the child.
    with ProcessPoolExecutor(
        min(workers, len(seeds)), mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        jobs = [pool.submit(replay_seed, survey, plan, seed) for seed in seeds]
        try:
            yield from (job.result() for job in as_completed(jobs))
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Leave the other processors to the other workers."""
    threadpool_limits(1)


def _checksum(survey: VoteSurvey, plan: VotesPlan) -> str:
    arrays = (survey.features, survey.fractions, survey.test)
    shapes = [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
    return json_checksum([*shapes, survey.tree.checksum, asdict(plan)])


def _file(directory: Path, source: str, seed: int) -> Path:
    return directory / f"votes-needed-{source[:12]}-{seed}.json"


def _kept(directory: Path, source: str, seed: int) -> SeedResult | None:
    """Return what an earlier run wrote; None where there is nothing whole."""
    try:
        document = read_json(_file(directory, source, seed))
        return _result(document["result"]) if document["source"] == source else None
    except (ArtefactError, KeyError, TypeError):
        return None


def _result(document: dict[str, Any]) -> SeedResult:
    curves = tuple(
        Curve(
            each["strategy"],
            *(tuple(each[name]) for name in ("votes", "galaxies", "skill", "accuracy")),
        )
        for each in document["curves"]
    )
    return SeedResult(**{**document, "curves": curves})
