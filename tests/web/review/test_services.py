"""Verdicts: once, by experts, with whole paths."""

import numpy as np
import pytest

from lenticular.accounts.services import create_user, volunteer_of
from lenticular.classifications.models import Classification, Kind
from lenticular.common.errors import ConflictError, ForbiddenError
from lenticular.consensus.services import rebuild_consensus
from lenticular.review import selectors
from lenticular.review.contamination import Verdicts
from lenticular.review.drawing import draw_spot_checks
from lenticular.review.errors import AlreadyReviewedError, BadVerdictError
from lenticular.review.models import FlagVerdict, SpotChecks
from lenticular.review.services import record_verdict
from lenticular.rounds.models import FlagState
from tests.universe import FEATURED, PASSWORD, SMOOTH_LONG, SMOOTH_ROUND

pytestmark = pytest.mark.django_db


def expert_log():
    return Classification.objects.filter(kind=Kind.EXPERT)


class TestVerdict:
    def test_a_mislabel_is_an_expert_classification(self, universe, flag):
        verdict = record_verdict(
            flag=flag, expert=universe.expert, state="mislabel", annotations=FEATURED, note="clear"
        )
        flag.refresh_from_db()
        found = expert_log().get()
        assert (flag.state, verdict.classification, verdict.note) == ("mislabel", found, "clear")
        assert found.annotations == [["shape", "featured"]]
        assert found.volunteer == volunteer_of(user=universe.expert)
        assert (found.version, found.subject) == (universe.version, flag.subject)
        assert (found.gold_standard, found.arm, found.selection_probability) == (False, "", None)

    def test_it_is_not_a_vote(self, universe, flag):
        record_verdict(flag=flag, expert=universe.expert, state="mislabel", annotations=FEATURED)
        assert rebuild_consensus(workflow=universe.workflow, check=True) == []

    def test_it_may_be_a_gold_standard(self, universe, flag):
        record_verdict(
            flag=flag, expert=universe.expert, state="votes-right",
            annotations=SMOOTH_ROUND, gold_standard=True,
        )  # fmt: skip
        assert expert_log().get().gold_standard

    @pytest.mark.parametrize("state", ["votes-right", "unsure"])
    def test_others_need_no_answers(self, universe, flag, state):
        verdict = record_verdict(flag=flag, expert=universe.expert, state=state)
        assert verdict.classification is None
        assert not expert_log().exists()

    def test_admins_review_too(self, universe, flag):
        assert record_verdict(flag=flag, expert=universe.admin, state="unsure").pk


class TestRules:
    @pytest.mark.parametrize(
        ("first", "second"),
        [("votes-right", "mislabel"), ("votes-right", "unsure"), ("unsure", "unsure")],
    )
    def test_a_second_verdict_is_a_conflict(self, universe, flag, first, second):
        record_verdict(flag=flag, expert=universe.expert, state=first)
        other = create_user(username="another", password=PASSWORD, role="expert")
        answers = FEATURED if second == "mislabel" else None
        with pytest.raises(AlreadyReviewedError, match="has a verdict already"):
            record_verdict(flag=flag, expert=other, state=second, annotations=answers)
        flag.refresh_from_db()
        assert flag.state == first
        assert FlagVerdict.objects.count() == 1
        assert not expert_log().exists()

    @pytest.mark.parametrize("settled", ["votes-right", "mislabel"])
    def test_what_one_was_unsure_of_another_can_settle(self, universe, flag, settled):
        record_verdict(flag=flag, expert=universe.expert, state="unsure", note="faint")
        other = create_user(username="another", password=PASSWORD, role="expert")
        answers = FEATURED if settled == "mislabel" else None
        record_verdict(flag=flag, expert=other, state=settled, annotations=answers)
        flag.refresh_from_db()
        assert flag.state == settled
        found = [(each.expert, each.state, each.note) for each in flag.verdicts.all()]
        assert found == [(universe.expert, "unsure", "faint"), (other, settled, "")]
        assert selectors.progress_of_rounds()[0].flags.unsure == 0

    def test_volunteers_give_none(self, universe, flag):
        with pytest.raises(ForbiddenError):
            record_verdict(flag=flag, expert=universe.volunteer_user, state="unsure")

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"state": "open"}, "state must be one of"),
            ({"state": "nonsense"}, "state must be one of"),
            ({"state": "mislabel"}, "the right answers must be given"),
            ({"state": "mislabel", "annotations": []}, "the right answers must be given"),
            ({"state": "mislabel", "annotations": [("shape", "square")]}, "no answer 'square'"),
            ({"state": "mislabel", "annotations": [("colour", "red")]}, "no question 'colour'"),
            ({"state": "mislabel", "annotations": [("shape", "smooth")]}, "must be answered"),
            (
                {"state": "mislabel", "annotations": [*FEATURED, ("roundness", "round")]},
                "not on the path",
            ),
            ({"state": "unsure", "annotations": FEATURED}, "must be left out"),
            ({"state": "unsure", "note": "x" * 2001}, "note must have at most 2000"),
            ({"state": "unsure", "gold_standard": True}, "a gold standard must have answers"),
        ],
    )
    def test_what_cannot_be_recorded_changes_nothing(self, universe, flag, given, message):
        with pytest.raises(BadVerdictError, match=message):
            record_verdict(flag=flag, expert=universe.expert, **given)
        flag.refresh_from_db()
        assert flag.state == FlagState.OPEN
        assert not expert_log().exists()

    def test_the_same_answers_serve_a_later_flag_of_the_galaxy(self, universe, flag, make_round):
        first = record_verdict(
            flag=flag, expert=universe.expert, state="mislabel", annotations=SMOOTH_LONG
        )
        (later,) = make_round(universe, [flag.subject])
        second = record_verdict(
            flag=later, expert=universe.expert, state="mislabel", annotations=SMOOTH_LONG
        )
        assert second.classification == first.classification

    def test_other_answers_for_the_galaxy_are_a_conflict(self, universe, flag, make_round):
        record_verdict(flag=flag, expert=universe.expert, state="mislabel", annotations=FEATURED)
        (later,) = make_round(universe, [flag.subject])
        with pytest.raises(ConflictError, match="is classified already"):
            record_verdict(
                flag=later, expert=universe.expert, state="mislabel", annotations=SMOOTH_LONG
            )
        later.refresh_from_db()
        assert later.state == FlagState.OPEN


class TestSelectors:
    def test_the_current_models_flags_by_rank(self, universe, flags):
        assert list(selectors.flags_to_review()) == flags

    def test_filters(self, universe, flags):
        record_verdict(flag=flags[1], expert=universe.expert, state="unsure")
        assert list(selectors.flags_to_review(state="unsure")) == [flags[1]]
        assert list(selectors.flags_to_review(state="open")) == [flags[0], *flags[2:]]
        assert list(selectors.flags_to_review(workflow="shapes")) == flags
        assert not selectors.flags_to_review(workflow="elsewhere").exists()

    def test_neighbours_and_what_comes_next(self, universe, flags):
        assert selectors.neighbours(flags[0]) == (None, flags[1])
        record_verdict(flag=flags[1], expert=universe.expert, state="unsure")
        assert selectors.neighbours(flags[2], state="open") == (flags[0], flags[3])
        assert selectors.next_to_judge(flags[0]) == flags[2]
        assert selectors.next_to_judge(flags[3]) == flags[0]

    def test_nothing_is_next_when_all_are_judged(self, universe, flags):
        for flag in flags:
            record_verdict(flag=flag, expert=universe.expert, state="unsure")
        assert selectors.next_to_judge(flags[0]) is None

    def test_progress(self, universe, flags):
        record_verdict(
            flag=flags[0], expert=universe.expert, state="mislabel", annotations=FEATURED
        )
        record_verdict(flag=flags[1], expert=universe.expert, state="votes-right")
        record_verdict(flag=flags[2], expert=universe.expert, state="unsure")
        (found,) = selectors.progress_of_rounds()
        assert found.flags == Verdicts(confirmed=1, refuted=1, unsure=1, open=1)
        assert (found.flags.total, found.flags.reviewed) == (4, 3)
        assert found.judged == 100
        assert found.contamination.rate.value == pytest.approx((1 + 0.5 * 2) / 100)

    def test_nothing_is_estimated_before_a_verdict(self, flags):
        assert selectors.progress_of_rounds()[0].contamination is None


@pytest.fixture
def drawn(universe, judged_round):
    """Return a round of 20 galaxies, two of them flagged, with its spot checks."""
    round_, _ = judged_round(20, flagged=2)
    draw_spot_checks(round=round_, expert=universe.expert)
    return round_


class TestSpotChecks:
    def test_flags_and_spot_checks_are_told_apart(self, drawn):
        kinds = {
            kind: list(selectors.flags_to_review(kind=kind).values_list("rank", flat=True))
            for kind in ("", "flags", "spot-checks")
        }
        assert kinds == {
            "": list(range(1, 21)), "flags": [1, 2], "spot-checks": list(range(3, 21)),
        }  # fmt: skip

    def test_neighbours_are_of_the_kind(self, drawn):
        rows = list(drawn.flags.order_by("rank"))
        assert selectors.neighbours(rows[1], kind="flags") == (rows[0], None)
        assert selectors.neighbours(rows[2], kind="spot-checks") == (None, rows[3])
        assert selectors.neighbours(rows[2]) == (rows[1], rows[3])

    def test_the_next_is_of_the_kind_while_one_is_open(self, universe, drawn):
        rows = list(drawn.flags.order_by("rank"))
        assert selectors.next_to_judge(rows[1]) == rows[0]
        record_verdict(flag=rows[0], expert=universe.expert, state="unsure")
        record_verdict(flag=rows[1], expert=universe.expert, state="unsure")
        assert selectors.next_to_judge(rows[1]) == rows[2]
        assert selectors.next_to_judge(rows[-1]) == rows[2]

    def test_progress_counts_them_apart(self, universe, drawn):
        for row in drawn.flags.all():
            record_verdict(flag=row, expert=universe.expert, state="votes-right")
        (found,) = selectors.progress_of_rounds()
        assert found.flags == Verdicts(refuted=2)
        assert (found.spot_checks.drawn, found.spot_checks.reviewed) == (18, 18)
        assert found.spot_checks.following.verdicts == Verdicts(refuted=3)
        assert found.spot_checks.rest.verdicts == Verdicts(refuted=15)
        assert found.spot_checks.judged == 20
        assert found.spot_checks.share.upper == 0.0
        assert not found.can_draw

    def test_a_round_without_flags_can_be_drawn_from(self, judged_round):
        round_, _ = judged_round(5)
        (found,) = selectors.progress_of_rounds()
        assert (found.round, found.flags.total, found.can_draw) == (round_, 0, True)
        assert found.spot_checks is None

    def test_without_the_list_it_cannot_be_drawn_from(self, flags):
        assert not selectors.progress_of_rounds()[0].can_draw

    def test_earlier_verdicts_and_the_undecided_are_among_the_judged(self, drawn):
        SpotChecks.objects.update(earlier_wrong=3, earlier_right=4, undecided=2)
        (found,) = selectors.progress_of_rounds()
        assert found.spot_checks.judged == 29
        assert found.spot_checks.earlier == Verdicts(3, 4)

    def test_the_true_share_is_covered_as_verdicts_come_in(self, universe, judged_round):
        """Half of the flags are wrong, one in ten of the next, and one in forty of the rest."""
        round_, subjects = judged_round(600, flagged=20)
        wrong = {
            subject.pk
            for rank, subject in enumerate(subjects)
            if rank % (2 if rank < 20 else 10 if rank < 110 else 40) == 0
        }
        truth = len(wrong) / 600
        made = draw_spot_checks(round=round_, expert=universe.expert, rng=np.random.default_rng(4))
        assert (made.next_galaxies, made.rest_galaxies) == (90, 490)
        for count, row in enumerate(round_.flags.order_by("rank"), start=1):
            _judge_truly(universe, row, wrong)
            if count in (60, 90, 120):
                share = selectors.progress_of_rounds()[0].spot_checks.share
                assert share.lower <= truth <= share.upper
        assert share.estimate == pytest.approx(truth, abs=0.03)


def _judge_truly(universe, row, wrong):
    if row.subject_id in wrong:
        record_verdict(flag=row, expert=universe.expert, state="mislabel", annotations=FEATURED)
    else:
        record_verdict(flag=row, expert=universe.expert, state="votes-right")
