"""The tree of votes: nothing overlaps, widths add up, every answer that was given is there."""

import math
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings as site
from hypothesis import given, settings
from hypothesis import strategies as st

from lenticular.classify.treechart import (
    FULL,
    LINE,
    NARROWEST,
    chart,
    layers_of,
    width_of,
    wrapped,
)
from mlcore.errors import InvalidInputError
from mlcore.tree import DecisionTree
from mlcore.votes.tallies import count_votes
from tests.mlcore.tree_strategies import all_paths, trees
from tests.universe import small_tree


@st.composite
def voted_trees(draw):
    """A random tree, many questions with several parents, and the votes of some people."""
    tree = draw(trees())
    walked = draw(st.lists(st.sampled_from(list(all_paths(tree))[:200]), min_size=1, max_size=12))
    return tree, walked, count_votes(walked, tree)


def zoo(name="gz-decals-5"):
    return DecisionTree.from_file(Path(site.ROOT) / "fixtures" / "trees" / f"{name}.json")


def crowd(tree, people, seed=0):
    """Return the votes of people who answer at random."""
    rng, paths = random.Random(seed), []
    for _ in range(people):
        slug, path = tree.start, []
        while slug:
            answer = rng.choice(tree.question(slug).answers)
            path.append((slug, answer.slug))
            slug = answer.next
        paths.append(path)
    return count_votes(paths, tree)


def branches(drawn):
    return [branch for block in drawn.blocks for branch in block.branches]


def overlap(spans):
    """Tell whether any two of these (low, high) spans overlap by more than rounding."""
    ordered = sorted(spans)
    return any(after[0] < before[1] - 1e-6 for before, after in pairwise(ordered))


@settings(deadline=None, max_examples=60)
@given(voted_trees())
def test_every_answer_that_was_given_is_drawn_once(given_votes):
    tree, _, counts = given_votes
    found = {
        (each.question, each.answer.slug): each.votes for each in branches(chart(tree, counts))
    }
    expected = {step: counts[place] for step, place in tree.column_index.items() if counts[place]}
    assert found == expected


@settings(deadline=None, max_examples=60)
@given(voted_trees())
def test_a_branch_is_as_wide_as_the_share_of_people_who_took_it(given_votes):
    """Brute force: of all the paths walked, how many go through this answer."""
    tree, walked, counts = given_votes
    for branch in branches(chart(tree, counts)):
        step = (branch.question, branch.answer.slug)
        share = sum(step in path for path in walked) / len(walked)
        assert branch.width == pytest.approx(FULL * share)


@settings(deadline=None, max_examples=60)
@given(voted_trees())
def test_what_enters_a_question_leaves_it(given_votes):
    drawn = chart(*given_votes[::2])
    for block in drawn.blocks:
        arriving = [each for each in drawn.ribbons if each.x1 == block.x]
        into = [
            each.width
            for each in arriving
            if block.bar_top - 1e-6 <= each.y1 <= block.bar_top + block.height + 1e-6
        ]
        assert sum(branch.width for branch in block.branches) == pytest.approx(block.height)
        if block.layer:
            assert sum(into) == pytest.approx(block.height)
        else:
            assert block.height == FULL


@settings(deadline=None, max_examples=60)
@given(voted_trees())
def test_nothing_overlaps_in_a_column(given_votes):
    drawn = chart(*given_votes[::2])
    by_column = {}
    for block in drawn.blocks:
        by_column.setdefault(block.layer, []).append((block.top, block.bottom))
        assert not overlap([(each.top, each.bottom) for each in block.branches])
        for branch in block.branches:
            words_end = branch.top + LINE * len(branch.lines)
            assert block.bar_top <= branch.top
            assert words_end <= branch.y - branch.width / 2
    for lane in drawn.lanes:
        by_column.setdefault(lane.layer, []).append((lane.top, lane.bottom))
    for spans in by_column.values():
        assert not overlap(spans)
        assert min(low for low, _ in spans) >= -1e-6
        assert max(high for _, high in spans) <= drawn.height


@settings(deadline=None, max_examples=50)
@given(voted_trees())
def test_ribbons_run_from_left_to_right_within_the_drawing(given_votes):
    drawn = chart(*given_votes[::2])
    for ribbon in drawn.ribbons:
        assert 0 <= ribbon.x0 < ribbon.x1 <= drawn.width
        assert all(math.isfinite(each) for each in (ribbon.y0, ribbon.y1, ribbon.width))
        assert ribbon.width > 0


@settings(deadline=None, max_examples=50)
@given(voted_trees())
def test_a_question_stands_right_of_all_that_led_to_it(given_votes):
    tree, walked, counts = given_votes
    layers = layers_of(tree, counts)
    assert set(layers) == {question for path in walked for question, _ in path}
    for path in walked:
        columns = [layers[question] for question, _ in path]
        assert columns == sorted(set(columns))


def test_branches_to_one_question_pass_a_column_together():
    tree = zoo()
    drawn = chart(tree, crowd(tree, 400))
    merging = [lane for lane in drawn.lanes if lane.child == "merging"]
    assert len({lane.layer for lane in merging}) == len(merging) > 1


@pytest.mark.parametrize("name", ["gz1", "gz2", "gz-decals-5", "yes-no"])
@pytest.mark.parametrize("language", ["en", "zh-hant"])
def test_the_trees_of_galaxy_zoo_fit(name, language):
    tree = zoo(name)
    drawn = chart(tree, crowd(tree, 300), language)
    assert len(branches(drawn)) > 1
    assert drawn.width >= NARROWEST
    for branch in branches(drawn):
        assert all(width_of(line) <= branch.right - branch.left for line in branch.lines)


def test_one_vote_draws_one_path():
    drawn = chart(small_tree(), [1, 0, 0, 0, 1])
    assert [branch.answer.slug for branch in branches(drawn)] == ["smooth", "elongated"]
    assert [branch.leads_on for branch in branches(drawn)] == [True, False]


def test_no_votes_draw_nothing():
    assert chart(small_tree(), np.zeros(5)) is None


def test_a_question_that_nothing_leads_to_is_shown_without_a_width():
    drawn = chart(small_tree(), [0, 4, 0, 1, 0])
    lost = next(block for block in drawn.blocks if block.question == "roundness")
    assert (lost.height, lost.layer) == (0, 0)


@pytest.mark.parametrize("counts", [[1, 2], [1, -1, 0, 0, 0]])
def test_bad_counts_are_refused(counts):
    with pytest.raises(InvalidInputError, match="counts must"):
        chart(small_tree(), counts)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ("",)),
        ("Smooth", ("Smooth",)),
        ("Features or disk", ("Features", "or disk")),
        ("one two three four five six", ("one two", "three fou…")),
        ("Incomprehensibilities", ("Incompreh…",)),
        ("特徵或盤面，都是", ("特徵或盤", "面，都是")),
    ],
)
def test_words_are_wrapped(text, lines):
    assert wrapped(text, 63, most=2) == lines


@given(st.text(max_size=60), st.floats(20, 200), st.integers(1, 4))
def test_wrapped_words_stay_in_their_room(text, room, most):
    lines = wrapped(text, room, most=most)
    assert 1 <= len(lines) <= most
    assert all(width_of(line) <= room for line in lines)
