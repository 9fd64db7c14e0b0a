"""Dry runs as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.template.defaultfilters import filesizeformat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lenticular.rounds.estimates import Cost, DryRun


def dry_run_lines(found: DryRun) -> Iterator[str]:
    """Yield what a round would read, change and cost, and why it would not start."""
    yield f"{found.workflow}, version {found.version}: dry run, nothing is written"
    yield (
        f"  reads    {found.votes:,} votes; learns from {found.training_galaxies:,} galaxies, is "
        f"judged by {found.panel_galaxies:,} of {found.panel:,} in the panel, predicts "
        f"{found.pool:,}"
    )
    since = f"round {found.last_round}" if found.last_round else "the beginning"
    yield f"  new      {found.new_votes:,} votes since {since}"
    for name, (old, new) in found.changed_settings.items():
        yield f"           {name} {old} → {new}"
    yield f"  to beat  {f'the model of round {found.to_beat}' if found.to_beat else 'no model'}"
    yield from _cost_lines(found.cost)
    yield f"  free     {size(found.free_bytes)}"
    for reason in found.reasons:
        yield f"  {'waits   ' if reason.schedule_only else 'refused '} {reason.message}"


def _cost_lines(cost: Cost | None) -> Iterator[str]:
    if cost is None:
        yield "  cost     unknown: no earlier round on this machine tells"
        return
    rounds = ", ".join(str(number) for number in cost.measured)
    disk = "unknown" if cost.bytes is None else size(cost.bytes)
    yield f"  cost     {span(cost.seconds)}, disk {disk}; as in round {rounds}"
    for name, seconds in cost.stages.items():
        yield f"           {name:<9}{span(seconds)}"
    if cost.pretrains:
        yield "           pretraining is part of it: no encoder of these settings is kept"
    if cost.other_encoders:
        others = ", ".join(cost.other_encoders)
        yield f"           measured with another encoder ({others}): that of these settings may "
        yield "           take much more or less"


def span(seconds: tuple[float, float]) -> str:
    """Return least and most seconds for a person; once where they are the same."""
    least, most = (clock(each) for each in seconds)
    return least if least == most else f"{least} to {most}"


def clock(seconds: float) -> str:
    """Return a duration as ``12 s``, ``3 min 5 s`` or ``2 h 14 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: int) -> str:
    """Return a number of bytes for a terminal."""
    # Django puts a no-break space before the unit, which not every terminal can show.
    return filesizeformat(count).replace("\xa0", " ")
