from collections import Counter
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from lenticular.consensus.counting import add_votes, columns_of, reason_to_retire
from tests.universe import ARTIFACT, PATHS, small_tree

TREE = small_tree()
VOTES = st.lists(st.sampled_from(PATHS), max_size=12)
RULES = st.builds(
    SimpleNamespace, retirement_votes=st.integers(1, 6), artifact_votes=st.integers(1, 4)
)


def tally(paths):
    counts = {}
    for path in paths:
        counts = add_votes(counts, columns_of(path))
    return counts


@given(VOTES)
def test_a_tally_is_the_number_of_votes_for_each_column(paths):
    expected = Counter(f"{question}_{answer}" for path in paths for question, answer in path)

    assert tally(paths) == expected


@given(VOTES, st.sampled_from(PATHS))
def test_a_vote_taken_out_leaves_the_tally_as_it_was(paths, path):
    with_it = add_votes(tally(paths), columns_of(path))

    assert add_votes(with_it, columns_of(path), by=-1) == tally(paths)


@given(VOTES, RULES)
def test_the_rules_of_retirement_do_not_depend_on_the_order_of_votes(paths, rules):
    reached = any(
        paths[:n].count(ARTIFACT) >= rules.artifact_votes or n >= rules.retirement_votes
        for n in range(len(paths) + 1)
    )

    reason = reason_to_retire(rules, TREE, tally(paths), len(paths))

    assert bool(reason) == reached
    assert reason == reason_to_retire(rules, TREE, tally(paths[::-1]), len(paths))
    if reason == "artifact":
        assert paths.count(ARTIFACT) >= rules.artifact_votes
