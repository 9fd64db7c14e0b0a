"""The drawing of spot checks: whom, how many, in which order, and once."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenticular.accounts.services import create_user
from lenticular.common.errors import ConflictError, ForbiddenError
from lenticular.review import drawing
from lenticular.review.drawing import Judged, choose, draw_spot_checks, read_judged
from lenticular.review.errors import AlreadyDrawnError, CannotDrawError
from lenticular.review.models import SpotChecks
from lenticular.review.services import record_verdict
from lenticular.rounds.models import FlagStratum, MislabelFlag, TrainedModel
from lenticular.rounds.workspace import stage_folder
from tests.universe import FEATURED, PASSWORD

from .conftest import write_judged


def draw(round_, expert, seed=0):
    return draw_spot_checks(round=round_, expert=expert, rng=np.random.default_rng(seed))


def spot_checks(round_):
    return round_.flags.exclude(stratum=FlagStratum.FLAGGED)


class TestChoosing:
    @given(st.integers(0, 900), st.integers(0, 100), st.integers(0, 2**32))
    def test_each_stratum_gives_fifty_or_all_without_repeats(self, others, known, seed):
        rows = range(known, known + others)
        judged = Judged(others + known, rows, wrong=0, right=known, undecided=0)
        drawn = choose(judged, np.random.default_rng(seed))
        middle = min(round(0.15 * (others + known)), others)
        strata = {FlagStratum.NEXT: rows[:middle], FlagStratum.REST: rows[middle:]}
        for stratum, members in strata.items():
            found = [each.row for each in drawn if each.stratum == stratum]
            assert len(found) == len(set(found)) == min(50, len(members))
            assert set(found) <= set(members)

    def test_every_galaxy_of_a_stratum_is_as_likely(self):
        judged, rng = Judged(400, range(400), 0, 0, 0), np.random.default_rng(0)
        times = Counter(each.row for _ in range(600) for each in choose(judged, rng))
        following = [times[row] for row in range(60)]
        rest = [times[row] for row in range(60, 400)]
        # Of 600 draws each is drawn a binomial number of times; five sigma are allowed.
        for counts, share in ((following, 50 / 60), (rest, 50 / 340)):
            sigma = np.sqrt(600 * share * (1 - share))
            assert np.abs(np.array(counts) - 600 * share).max() < 5 * sigma

    def test_the_order_says_nothing_of_the_rank(self):
        judged, rng = Judged(1000, range(1000), 0, 0, 0), np.random.default_rng(1)
        firsts = [choose(judged, rng)[:10] for _ in range(400)]
        following = np.mean([[each.stratum == "next" for each in first] for first in firsts])
        assert following == pytest.approx(0.5, abs=0.04)
        ranks = np.mean([each.row for first in firsts for each in first if each.stratum == "rest"])
        assert ranks == pytest.approx(574.5, abs=30)


@pytest.mark.django_db
class TestDrawing:
    def test_they_come_after_the_flags_with_their_strata(self, universe, judged_round):
        round_, subjects = judged_round(1200, flagged=20)
        made = draw(round_, universe.expert)
        assert (made.expert, made.next_galaxies, made.rest_galaxies) == (universe.expert, 180, 1000)
        assert (made.earlier_wrong, made.earlier_right, made.undecided) == (0, 0, 0)
        place = {subject.pk: rank for rank, subject in enumerate(subjects)}
        found = {
            stratum: [place[each.subject_id] for each in round_.flags.filter(stratum=stratum)]
            for stratum in FlagStratum
        }
        assert sorted(found["flagged"]) == list(range(20))
        assert len(found["next"]) == len(found["rest"]) == 50
        assert all(20 <= rank < 200 for rank in found["next"])
        assert all(200 <= rank < 1200 for rank in found["rest"])
        ranks = list(spot_checks(round_).values_list("rank", flat=True))
        assert ranks == list(range(21, 121))

    def test_a_row_says_what_the_file_said_of_its_galaxy(self, universe, judged_round):
        round_, subjects = judged_round(700)
        draw(round_, universe.expert)
        for row in spot_checks(round_).select_related("subject"):
            rank = subjects.index(row.subject)
            assert row.reason == f"rank {rank}"
            assert row.p_value == pytest.approx((rank + 1) / 701)
            assert row.expected["featured"] == (0.25 if rank % 2 else 0.85)
            assert (row.state, row.question) == ("open", "shape")

    def test_their_order_is_not_that_of_suspicion(self, universe, judged_round):
        round_, subjects = judged_round(700)
        draw(round_, universe.expert)
        order = [subjects.index(each.subject) for each in spot_checks(round_).order_by("rank")]
        assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.3
        strata = "".join(each.stratum[0] for each in spot_checks(round_).order_by("rank"))
        assert "n" * 12 not in strata
        assert "r" * 12 not in strata

    def test_what_was_settled_in_an_earlier_round_is_counted_and_not_drawn(
        self, universe, make_round, judged_round
    ):
        _, subjects = judged_round(10, flagged=4)
        wrong, right, unsure, still_open = MislabelFlag.objects.order_by("rank")
        record_verdict(flag=wrong, expert=universe.expert, state="mislabel", annotations=FEATURED)
        record_verdict(flag=right, expert=universe.expert, state="votes-right")
        record_verdict(flag=unsure, expert=universe.expert, state="unsure")
        # The same galaxies again; the unsure one is flagged in the file and no more on the site.
        round_, _ = judged_round(0, subjects=[subjects[2], *subjects[:2], *subjects[3:]])
        write_judged(round_, [subjects[2], *subjects[:2], *subjects[3:]], flagged=1)
        made = draw(round_, universe.expert)
        assert (made.earlier_wrong, made.earlier_right, made.undecided) == (1, 1, 1)
        assert made.next_galaxies + made.rest_galaxies == 7
        drawn = set(spot_checks(round_).values_list("subject_id", flat=True))
        assert drawn == {each.pk for each in subjects[3:]}
        assert still_open.subject_id in drawn

    def test_whose_votes_an_experts_answers_replaced_is_counted_though_not_judged(
        self, universe, judged_round
    ):
        _, subjects = judged_round(10, flagged=4)
        wrong, right, *_ = MislabelFlag.objects.order_by("rank")
        record_verdict(flag=wrong, expert=universe.expert, state="mislabel", annotations=FEATURED)
        record_verdict(
            flag=right, expert=universe.expert, state="votes-right", annotations=FEATURED
        )
        round_, _ = judged_round(0, subjects=subjects[2:])
        judged = read_judged(round_)
        assert (judged.wrong, judged.right, judged.total) == (1, 1, 10)
        assert list(judged.others) == list(range(8))

    def test_a_verdict_on_another_question_settles_nothing(self, universe, judged_round):
        _, subjects = judged_round(6, flagged=1)
        MislabelFlag.objects.update(question="roundness", state="mislabel")
        round_, _ = judged_round(0, subjects=subjects)
        judged = read_judged(round_)
        assert (judged.wrong, list(judged.others)) == (0, list(range(6)))

    @pytest.mark.parametrize(("n", "sizes"), [(1, (0, 1)), (30, (4, 26)), (60, (9, 50))])
    def test_small_rounds_give_all_they_have(self, universe, judged_round, n, sizes):
        round_, _ = judged_round(n)
        draw(round_, universe.expert)
        found = Counter(spot_checks(round_).values_list("stratum", flat=True))
        assert (found["next"], found["rest"]) == sizes

    def test_where_all_are_flagged_none_is_drawn_and_it_is_kept(self, universe, judged_round):
        round_, _ = judged_round(5, flagged=5)
        made = draw(round_, universe.expert)
        assert (made.next_galaxies, made.rest_galaxies) == (0, 0)
        assert not spot_checks(round_).exists()

    def test_a_subject_that_is_gone_is_left_out(self, universe, judged_round):
        round_, subjects = judged_round(8)
        subjects[7].delete()
        draw(round_, universe.expert)
        ranks = list(spot_checks(round_).values_list("rank", flat=True))
        assert len(ranks) == 7
        assert len(set(ranks)) == 7


@pytest.mark.django_db
class TestRules:
    def test_a_second_drawing_is_a_conflict_and_doubles_nothing(self, universe, judged_round):
        round_, _ = judged_round(40)
        draw(round_, universe.expert)
        other = create_user(username="another", password=PASSWORD, role="expert")
        with pytest.raises(AlreadyDrawnError, match="must have no spot checks yet"):
            draw(round_, other, seed=1)
        assert issubclass(AlreadyDrawnError, ConflictError)
        assert SpotChecks.objects.get().expert == universe.expert
        assert spot_checks(round_).count() == 40

    def test_of_two_at_once_the_second_is_refused(self, universe, judged_round, monkeypatch):
        round_, _ = judged_round(40)
        reading = drawing.read_judged

        def read_while_another_draws(here):
            monkeypatch.setattr(drawing, "read_judged", reading)
            found = reading(here)
            draw(here, universe.admin, seed=1)
            return found

        monkeypatch.setattr(drawing, "read_judged", read_while_another_draws)
        with pytest.raises(AlreadyDrawnError):
            draw(round_, universe.expert)
        assert SpotChecks.objects.get().expert == universe.admin
        assert spot_checks(round_).count() == 40

    def test_only_who_may_review_draws(self, universe, judged_round):
        round_, _ = judged_round(40)
        for user in (universe.volunteer_user, universe.astronomer):
            with pytest.raises(ForbiddenError, match="need the role expert"):
                draw(round_, user)
        assert not SpotChecks.objects.exists()

    def test_a_round_of_a_model_replaced_is_refused(self, universe, judged_round):
        round_, _ = judged_round(40)
        TrainedModel.objects.update(is_current=False)
        with pytest.raises(CannotDrawError, match="must have made the current model"):
            draw(round_, universe.expert)

    @pytest.mark.parametrize("content", [None, b"PAR1 no more"])
    def test_a_list_that_is_gone_or_damaged_is_told(self, universe, judged_round, content):
        round_, _ = judged_round(40)
        path = stage_folder(round_, "flag").path / "mislabels.parquet"
        path.unlink()
        if content:
            path.write_bytes(content)
        with pytest.raises(CannotDrawError, match="must be whole"):
            draw(round_, universe.expert)
        assert not SpotChecks.objects.exists()
        assert not MislabelFlag.objects.exists()

    def test_a_drawing_that_fails_half_way_leaves_nothing(
        self, universe, judged_round, monkeypatch
    ):
        round_, _ = judged_round(40)

        def fail(*_args, **_more):
            raise RuntimeError("no more")

        monkeypatch.setattr(MislabelFlag.objects, "bulk_create", fail)
        with pytest.raises(RuntimeError):
            draw(round_, universe.expert)
        assert not SpotChecks.objects.exists()


@pytest.mark.django_db
def test_a_spot_check_is_judged_like_a_flag(universe, judged_round):
    round_, _ = judged_round(12)
    draw(round_, universe.expert)
    row = spot_checks(round_).first()
    verdict = record_verdict(
        flag=row, expert=universe.expert, state="mislabel", annotations=FEATURED
    )
    assert verdict.classification.subject == row.subject
    assert verdict.classification.annotations == [["shape", "featured"]]
