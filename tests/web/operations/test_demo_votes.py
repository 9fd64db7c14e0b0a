"""The demonstration's expert chooses clear galaxies of every kind to practise on."""

import numpy as np
import pytest

from lenticular.operations.demo_report import _mislabels
from lenticular.operations.demo_votes import (
    Crowd,
    clear_galaxies,
    likeliest_path,
    review_flags,
)
from lenticular.rounds.models import FlagStratum, MislabelFlag, Round
from tests.universe import small_tree

TREE = small_tree()


def fractions(smooth, is_round=0.5):
    first = [smooth, 1 - smooth, 0.0]
    return np.array([*first, is_round, 1 - is_round])


TRUE = {
    "clear-round": fractions(0.95, 0.97),
    "less-clear-round": fractions(0.95, 0.8),
    "long": fractions(0.9, 0.2),
    "featured": fractions(0.05),
    "planted": fractions(0.99, 0.99),
}
CROWD = Crowd(TRUE, {**TRUE, "planted": fractions(0.0)})


def chosen(count, names=frozenset(TRUE)):
    return clear_galaxies(CROWD, TREE, names, count)


def test_each_kind_gives_its_clearest_before_any_gives_a_second():
    assert chosen(3) == ["clear-round", "featured", "long"]
    assert chosen(9) == ["clear-round", "featured", "long", "less-clear-round"]


def test_only_named_galaxies_that_people_see_rightly():
    assert "planted" not in chosen(9)
    assert chosen(9, frozenset({"long", "unknown"})) == ["long"]
    assert chosen(9, frozenset()) == []


def test_the_likeliest_path_is_whole():
    path = likeliest_path(TRUE["long"], TREE)
    assert TREE.validate(path) == path == (("shape", "smooth"), ("roundness", "elongated"))


@pytest.mark.django_db
def test_the_expert_judges_flags_and_leaves_spot_checks_which_count_as_none(universe):
    round_ = Round.objects.create(
        workflow=universe.workflow, version=universe.version, number=1, seed=1, code_version="test"
    )
    flag, spot_check = (
        MislabelFlag.objects.create(
            round=round_, subject=subject, question="shape", rank=rank, p_value=0.5, q_value=0.5,
            observed={}, expected={}, reason="", stratum=stratum,
        )
        for rank, (subject, stratum) in enumerate(
            zip(universe.subjects[:2], (FlagStratum.FLAGGED, FlagStratum.REST), strict=True)
        )
    )  # fmt: skip
    crowd = Crowd({}, {})
    judged = list(review_flags(round_=round_, expert=universe.expert, crowd=crowd))
    assert judged == [flag]
    spot_check.refresh_from_db()
    assert spot_check.state == "open"
    assert "1 flagged" in _mislabels([round_], crowd)[0]
