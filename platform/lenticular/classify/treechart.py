"""Votes as a tree: where to draw each question, answer and branch. No framework here.

Time runs from left to right: a question stands in the column after the last question that
leads to it. Its bar is as high as the chance that it is asked (`relevance`: 1 at the start),
and each answer leaves it as a branch as wide as that chance times the answer's vote
fraction. Branches to the same question join on their way, in lanes that keep them clear of
the columns between (the dummy vertices of Sugiyama et al. 1981, bundled). All that leaves a
question therefore enters it again at its far side, and widths add up everywhere.

Lengths are in CSS pixels. Questions that nobody was asked and answers that nobody gave are
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlcore.votes.tallies import fractions, relevance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from mlcore.tree import Answer, DecisionTree

FULL = 112.0
"""Height of the first question's bar: a branch that everybody takes is this wide."""
WIDTH = 1110.0
NARROWEST, WIDEST = 118.0, 277.5
LINE, ICON = 15.0, 16.0
BAR, EXIT, BEND = 6.0, 14.0, 22.0
"""A question's bar, the way from it to its answers, and the way on to the next column."""
GAP, BLOCK_GAP = 9.0, 26.0
LETTER, IDEOGRAPH, BOLD = 6.2, 12.2, 1.15
"""Widths of a letter and of an ideograph at 12 px, on the safe side; and how much bold adds."""
_ELLIPSIS = "…"


@dataclass(frozen=True)
class Branch:
    """One answer: `width` wide at `left`..`right`, its middle at `y` (px); its words above."""

    question: str
    answer: Answer
    votes: int
    width: float
    lines: tuple[str, ...]
    left: float
    right: float
    top: float
    y: float
    start: float
    leads_on: bool

    @property
    def bottom(self) -> float:
        """Where the answer's slot ends."""
        return self.y + self.width / 2


@dataclass(frozen=True)
class Block:
    """One question in its column: its words at `top`, then its bar and its branches."""

    question: str
    lines: tuple[str, ...]
    layer: int
    x: float
    top: float
    bar_top: float
    height: float
    branches: tuple[Branch, ...]

    @property
    def bottom(self) -> float:
        """Where the block ends."""
        ends = [branch.bottom for branch in self.branches]
        return max(self.bar_top + self.height, *ends)

    @property
    def middle(self) -> float:
        """The middle of the bar."""
        return self.bar_top + self.height / 2


@dataclass(frozen=True)
class Lane:
    """Room for the branches to `child` on their way past a column."""

    child: str
    layer: int
    left: float
    right: float
    top: float
    width: float

    @property
    def bottom(self) -> float:
        """Where the lane ends."""
        return self.top + self.width

    @property
    def middle(self) -> float:
        """Its middle line."""
        return self.top + self.width / 2


@dataclass(frozen=True)
class Ribbon:
    """A bend of constant `width` from (x0, y0) to (x1, y1), its middle line's ends."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float

    @property
    def path(self) -> str:
        """The outline as an SVG path."""
        half, middle = self.width / 2, (self.x0 + self.x1) / 2
        # Both edges bend alike, so that the ribbon keeps its height all the way.
        return (
            f"M{self.x0:.1f} {self.y0 - half:.2f}"
            f"C{middle:.1f} {self.y0 - half:.2f} {middle:.1f} {self.y1 - half:.2f}"
            f" {self.x1:.1f} {self.y1 - half:.2f}v{self.width:.2f}"
            f"C{middle:.1f} {self.y1 + half:.2f} {middle:.1f} {self.y0 + half:.2f}"
            f" {self.x0:.1f} {self.y0 + half:.2f}z"
        )


@dataclass(frozen=True)
class Chart:
    """The whole drawing."""

    width: float
    height: float
    blocks: tuple[Block, ...]
    lanes: tuple[Lane, ...]
    ribbons: tuple[Ribbon, ...]


class Source(NamedTuple):
    """Where a branch comes from: the end of its middle line, and its width."""

    x: float
    y: float
    width: float


@dataclass
class _Plan:
    """What is known before anything is placed, and what has been placed so far."""

    tree: DecisionTree
    counts: np.ndarray
    language: str
    share: dict[tuple[str, str], float]
    asked: dict[str, float]
    layers: dict[str, int]
    step: float
    blocks: list[Block] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    sources: dict[tuple[str, int], list[Source]] = field(default_factory=dict)
    ribbons: list[Ribbon] = field(default_factory=list)


def layers_of(tree: DecisionTree, counts: ArrayLike) -> dict[str, int]:
    """Return each asked question's column: one after the last answer given that leads to it.

    Parameters
    ----------
    tree
        The tree.
    counts
        Votes, shape (A,).
    """
    votes = np.asarray(counts)
    layers: dict[str, int] = {}
    for question in tree.questions:
        if not votes[tree.question_slices[question.slug]].sum() > 0:
            continue
        before = [
            layers[parent]
            for parent, answer in tree.parents(question.slug)
            if parent in layers and votes[tree.column_index[parent, answer]] > 0
        ]
        layers[question.slug] = 1 + max(before, default=-1)
    return layers


def chart(tree: DecisionTree, counts: ArrayLike, language: str = "en") -> Chart | None:
    """Lay out the votes of one galaxy; None where there are none.

    Parameters
    ----------
    tree
        What was asked.
    counts
        Votes, shape (A,), finite; a question that no counted answer leads to (votes of
        another kind) stands in the first column with a bar of no height.
    language
        Of the words.

    Raises
    ------
    mlcore.errors.InvalidInputError
        For counts of another width, or negative ones.
    """
    votes = np.asarray(counts, dtype=np.float64)
    share = np.nan_to_num(fractions(votes, tree))
    layers = layers_of(tree, votes)
    if not layers:
        return None
    asked = dict(zip((q.slug for q in tree.questions), relevance(share, tree), strict=True))
    columns = 1 + max(layers.values())
    step = min(max(WIDTH / columns, NARROWEST), WIDEST)
    steps = {key: float(share[place]) for key, place in tree.column_index.items()}
    plan = _Plan(tree, votes, language, steps, asked, layers, step)
    for layer in range(columns):
        _place_column(plan, layer)
    return _shifted(plan, columns)


def _place_column(plan: _Plan, layer: int) -> None:
    """Stack what stands in a column, each as near to what leads to it as there is room."""
    here = [slug for slug, at in plan.layers.items() if at == layer]
    passing = [child for child, at in plan.sources if at == layer and plan.layers[child] > layer]
    wanted = {key: _middle_of_sources(plan, key, layer) for key in (*here, *passing)}
    bottom = -np.inf
    for key in sorted(wanted, key=lambda each: wanted[each]):
        top = max(wanted[key] - _placed(plan, key, layer, 0.0).middle, bottom + BLOCK_GAP)
        placed = _placed(plan, key, layer, top)
        bottom = placed.bottom
        if isinstance(placed, Block):
            plan.blocks.append(placed)
            _join(plan, key, layer, placed.x, placed.bar_top)
            _leave(plan, placed)
        else:
            plan.lanes.append(placed)
            _join(plan, key, layer, placed.left, placed.top)
            _send(plan, key, layer, Source(placed.right, placed.middle, placed.width))


def _placed(plan: _Plan, key: str, layer: int, top: float) -> Block | Lane:
    return _block(plan, key, top) if plan.layers[key] == layer else _lane(plan, key, layer, top)


def _middle_of_sources(plan: _Plan, key: str, layer: int) -> float:
    sources = plan.sources.get((key, layer), [])
    weight = sum(source.width for source in sources)
    return sum(source.y * source.width for source in sources) / weight if weight else 0.0


def _block(plan: _Plan, slug: str, top: float) -> Block:
    question, left = plan.tree.question(slug), plan.layers[slug] * plan.step
    words = wrapped(question.text(plan.language), (plan.step - 12) / BOLD, most=5)
    bar_top = y = top + LINE * len(words) + 8
    height, start = FULL * plan.asked[slug], bar_top
    branches = []
    for answer in question.answers:
        votes = int(plan.counts[plan.tree.column_index[slug, answer.slug]])
        if votes == 0:
            continue
        width = height * plan.share[slug, answer.slug]
        room = plan.step - BAR - EXIT - BEND - ICON - 4 - LETTER * (1 + len(str(votes)))
        lines = wrapped(answer.text(plan.language), room, most=3)
        words_end = y + LINE * len(lines)
        branches.append(
            Branch(
                question=slug,
                answer=answer,
                votes=votes,
                width=width,
                lines=lines,
                left=left + BAR + EXIT,
                right=left + plan.step - BEND,
                top=y,
                y=words_end + 2 + width / 2,
                start=start + width / 2,
                leads_on=answer.next in plan.layers,
            )
        )
        y, start = branches[-1].bottom + GAP, start + width
    return Block(slug, words, plan.layers[slug], left, top, bar_top, height, tuple(branches))


def _lane(plan: _Plan, child: str, layer: int, top: float) -> Lane:
    width = sum(source.width for source in plan.sources[child, layer])
    left = layer * plan.step
    return Lane(child, layer, left, left + plan.step - BEND, top, width)


def _join(plan: _Plan, key: str, layer: int, x: float, top: float) -> None:
    """Bend what comes from the left into what has been placed, in the order of its height."""
    for source in sorted(plan.sources.get((key, layer), []), key=lambda each: each.y):
        y = top + source.width / 2
        plan.ribbons.append(Ribbon(source.x, source.y, x, y, source.width))
        top += source.width


def _leave(plan: _Plan, block: Block) -> None:
    for branch in block.branches:
        x = block.x + BAR
        plan.ribbons.append(Ribbon(x, branch.start, branch.left, branch.y, branch.width))
        if branch.leads_on and branch.answer.next:
            source = Source(branch.right, branch.y, branch.width)
            _send(plan, branch.answer.next, block.layer, source)


def _send(plan: _Plan, child: str, layer: int, source: Source) -> None:
    plan.sources.setdefault((child, layer + 1), []).append(source)


def _shifted(plan: _Plan, columns: int) -> Chart:
    """Move everything so that the drawing begins at 0."""
    placed: list[Block | Lane] = [*plan.blocks, *plan.lanes]
    by = -min(each.top for each in placed)
    blocks = tuple(_block(plan, each.question, each.top + by) for each in plan.blocks)
    lanes = tuple(replace(each, top=each.top + by) for each in plan.lanes)
    ribbons = tuple(replace(each, y0=each.y0 + by, y1=each.y1 + by) for each in plan.ribbons)
    height = max(each.bottom for each in placed) + by + GAP
    return Chart(columns * plan.step, height, blocks, lanes, ribbons)


def wrapped(text: str, room: float, *, most: int) -> tuple[str, ...]:
    """Break a text into at most `most` lines of `room` px; what is too long ends in “…”.

    Breaks at spaces, and between ideographs; a word that is too long is cut. An empty
    text gives one empty line.
    """
    lines = [""]
    for piece in _pieces(text):
        if width_of(lines[-1] + piece.rstrip()) <= room or not lines[-1]:
            lines[-1] += piece
        else:
            lines.append(piece)
    cut = [_cut(line.strip(), room) for line in lines]
    if len(cut) > most:
        cut = [*cut[: most - 1], _cut(cut[most - 1] + _ELLIPSIS, room)]
    return tuple(cut)


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for letter in text:
        after_break = pieces[-1].endswith(" ") or _is_wide(letter)
        if after_break and not (letter in "，。？、）」" and pieces[-1]):
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _is_wide(letter: str) -> bool:
    return ord(letter) >= 0x2E80


def width_of(text: str) -> float:
    """Return about how wide a text is at 12 px."""
    return sum(IDEOGRAPH if _is_wide(letter) else LETTER for letter in text)


def _cut(line: str, room: float) -> str:
    if width_of(line) <= room:
        return line
    kept = line.rstrip(_ELLIPSIS)
    while kept and width_of(kept + _ELLIPSIS) > room:
        kept = kept[:-1]
    return kept.rstrip() + _ELLIPSIS
