"""The review pages, as anonymous, forbidden and allowed."""

import pytest
from django.urls import reverse

from lenticular.accounts.models import Role
from lenticular.classifications.models import Classification, Kind
from lenticular.review.drawing import draw_spot_checks
from lenticular.review.models import SpotChecks
from lenticular.review.services import record_verdict
from lenticular.rounds.models import FlagState, MislabelFlag
from lenticular.rounds.workspace import stage_folder
from mlcore.stages import MARK

pytestmark = pytest.mark.django_db


def address(flag):
    return reverse("review-flag", args=[flag.pk])


def post(client, flag, **sent):
    return client.post(address(flag), {key.replace("__", "-"): sent[key] for key in sent})


@pytest.fixture
def expert(client_of, flags):
    return client_of(Role.EXPERT)


class TestAccess:
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_anonymous_people_are_sent_to_sign_in(self, client, flag, method):
        for page in (reverse("review"), address(flag)):
            answer = getattr(client, method)(page, {"state": "unsure"})
            assert answer.status_code == 302
            assert answer["Location"].startswith(reverse("sign-in"))

    @pytest.mark.parametrize("role", [Role.VOLUNTEER, Role.ASTRONOMER])
    def test_others_are_refused(self, client_of, flag, role):
        client = client_of(role)
        assert client.get(reverse("review")).status_code == 403
        assert client.get(address(flag)).status_code == 403
        assert post(client, flag, state="unsure").status_code == 403
        flag.refresh_from_db()
        assert flag.state == FlagState.OPEN


class TestLightTable:
    def test_shows_open_flags_of_the_current_model_by_rank(self, expert, flags):
        answer = expert.get(reverse("review"))
        assert [card["flag"] for card in answer.context["cards"]] == flags
        shown = answer.content.decode()
        assert "0 of 4 reviewed" in shown
        assert flags[0].subject.images.get().url("page") in shown
        assert "style=" not in shown

    def test_a_damaged_record_is_no_error_and_stays(self, expert, flags):
        mark = stage_folder(flags[0].round, "flag").path / MARK
        mark.write_text("{")
        page = expert.get(reverse("review"))
        assert page.status_code == 200
        assert "0 of 4 reviewed" in page.content.decode()
        assert mark.read_text() == "{"

    def test_filters_by_state(self, expert, universe, flags):
        record_verdict(flag=flags[2], expert=universe.expert, state="votes-right")
        for state, wanted in (("votes-right", [flags[2]]), ("", flags), ("mislabel", [])):
            answer = expert.get(reverse("review"), {"state": state})
            assert [card["flag"] for card in answer.context["cards"]] == wanted

    def test_an_unknown_state_shows_open_flags(self, expert, flags):
        answer = expert.get(reverse("review"), {"state": "nonsense", "page": "x"})
        assert len(answer.context["cards"]) == 4

    def test_an_empty_table_says_so(self, client_of):
        shown = client_of(Role.EXPERT).get(reverse("review")).content.decode()
        assert "No round has flagged anything yet" in shown

    def test_shows_the_estimates(self, expert, universe, flags):
        record_verdict(flag=flags[2], expert=universe.expert, state="votes-right")
        shown = expert.get(reverse("review")).content.decode()
        assert "Flags that are right" in shown
        assert "of 100 judged" in shown

    def test_does_not_query_for_each_flag(self, expert, django_assert_max_num_queries):
        with django_assert_max_num_queries(13):
            expert.get(reverse("review"))


class TestFlag:
    def test_shows_picture_bars_and_reason(self, expert, flag):
        shown = expert.get(address(flag)).content.decode()
        assert flag.subject.images.get().url("full") in shown
        assert '<rect class="people" width="75.0" height="10"/>' in shown
        assert '<rect class="machine" width="85.0" height="10"/>' in shown
        assert "75% of volunteers said" in shown
        assert "p = 0.0001" in shown
        assert "style=" not in shown
        assert "onclick" not in shown

    def test_asks_every_question_of_the_tree(self, expert, flag, universe):
        shown = expert.get(address(flag)).content.decode()
        for question in universe.tree.questions:
            assert f'name="answer-{question.slug}"' in shown

    def test_an_unknown_flag_is_not_found(self, expert):
        assert expert.get(reverse("review-flag", args=[999])).status_code == 404

    def test_leads_to_its_neighbours(self, expert, flags):
        answer = expert.get(address(flags[1]))
        assert (answer.context["before"], answer.context["after"]) == (flags[0], flags[2])


class TestVerdict:
    def test_leads_to_the_next_open_flag(self, expert, flags):
        answer = post(expert, flags[0], state="votes-right")
        assert answer["Location"] == address(flags[1])
        assert MislabelFlag.objects.get(pk=flags[0].pk).state == FlagState.VOTES_RIGHT

    def test_the_last_leads_back_to_the_table(self, expert, flags):
        for flag in flags:
            answer = post(expert, flag, state="unsure")
        assert answer["Location"] == reverse("review")
        assert (
            "Every flag of this round has a verdict"
            in expert.get(reverse("review")).content.decode()
        )

    def test_wrong_votes_take_the_right_answers(self, expert, flag):
        sent = {"answer__shape": "smooth", "answer__roundness": "elongated"}
        answer = post(expert, flag, state="mislabel", gold_standard="yes", note=" a ring ", **sent)
        assert answer.status_code == 302
        found = Classification.objects.get(kind=Kind.EXPERT)
        assert found.annotations == [["shape", "smooth"], ["roundness", "elongated"]]
        assert found.gold_standard
        shown = expert.get(address(flag)).content.decode()
        assert "votes wrong" in shown
        assert "a ring" in shown
        assert 'id="verdict"' not in shown

    def test_questions_left_at_not_asked_are_left_out(self, expert, flag):
        sent = {"answer__shape": "featured", "answer__roundness": ""}
        assert post(expert, flag, state="mislabel", **sent).status_code == 302

    def test_a_second_verdict_is_a_conflict(self, expert, flag):
        post(expert, flag, state="votes-right")
        answer = post(expert, flag, state="unsure")
        assert answer.status_code == 409
        assert "has a verdict already" in answer.content.decode()

    def test_what_was_unsure_can_be_settled_and_is_told_whole(self, expert, flag):
        post(expert, flag, state="unsure", note="too faint for me")
        page = expert.get(address(flag)).content.decode()
        assert "If you can tell, settle it" in page
        assert 'value="votes-right"' in page
        assert 'value="unsure"' not in page
        post(expert, flag, state="votes-right", note="deeper image seen")
        page = expert.get(address(flag)).content.decode()
        assert page.index("too faint for me") < page.index("deeper image seen")
        assert 'id="verdict"' not in page

    def test_of_the_unsure_the_next_unsure_follows(self, expert, flags):
        for flag in flags[:2]:
            post(expert, flag, state="unsure")
        asked = f"{address(flags[0])}?state=unsure&kind=flags"
        answer = expert.post(asked, {"state": "votes-right"})
        assert answer["Location"] == f"{address(flags[1])}?kind=flags&state=unsure"
        answer = expert.post(answer["Location"], {"state": "votes-right"})
        assert answer["Location"] == f"{address(flags[2])}?kind=flags"

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            ({"state": "mislabel"}, "the right answers must be given"),
            ({"state": "mislabel", "answer__shape": "square"}, "has no answer"),
            ({"state": "mislabel", "answer__colour": "red"}, "has no question"),
            ({"state": "mislabel", "answer__shape": "smooth"}, "must be answered"),
            (
                {"state": "mislabel", "answer__shape": "featured", "answer__roundness": "round"},
                "is not on the path",
            ),
            ({"state": "mislabel", "answer__shape": ["smooth", "featured"]}, "has two"),
            ({"state": "sure"}, "state must be one of"),
            ({}, "state must be one of"),
        ],
    )
    def test_bad_input_is_told_and_kept_on_the_page(self, expert, flag, sent, message):
        answer = post(expert, flag, note="keep me", **sent)
        assert answer.status_code == 400
        shown = answer.content.decode()
        assert message in shown
        assert "keep me" in shown
        assert not Classification.objects.filter(kind=Kind.EXPERT).exists()


def table(client, **query):
    return client.get(reverse("review"), query)


def draw_address(round_):
    return reverse("review-draw", args=[round_.pk])


class TestDrawing:
    def test_anonymous_people_are_sent_to_sign_in(self, client, universe, judged_round):
        round_, _ = judged_round(5)
        answer = client.post(draw_address(round_))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("sign-in"))
        assert not SpotChecks.objects.exists()

    @pytest.mark.parametrize("role", [Role.VOLUNTEER, Role.ASTRONOMER])
    def test_others_are_refused(self, client_of, judged_round, role):
        round_, _ = judged_round(5)
        assert client_of(role).post(draw_address(round_)).status_code == 403
        assert not SpotChecks.objects.exists()

    def test_it_is_no_link(self, expert, judged_round):
        round_, _ = judged_round(5)
        assert expert.get(draw_address(round_)).status_code == 405

    def test_of_no_round_there_is_none(self, expert):
        assert expert.post(reverse("review-draw", args=[0])).status_code == 404

    def test_shows_what_was_drawn(self, expert, universe, judged_round):
        round_, _ = judged_round(30, flagged=2)
        answer = expert.post(draw_address(round_), follow=True)
        assert answer.status_code == 200
        assert [card["flag"].is_spot_check for card in answer.context["cards"]] == [True] * 28
        shown = answer.content.decode()
        assert "The spot checks are drawn" in shown
        assert "0 of 28 reviewed" in shown
        assert SpotChecks.objects.get().expert == universe.expert

    def test_a_second_time_is_a_conflict_that_is_told(self, expert, judged_round):
        round_, _ = judged_round(5)
        expert.post(draw_address(round_))
        answer = expert.post(draw_address(round_))
        assert answer.status_code == 409
        shown = answer.content.decode()
        assert "The spot checks of this round are drawn already" in shown
        assert round_.flags.count() == 5


class TestStatesOfSpotChecks:
    def test_not_drawn(self, expert, judged_round):
        round_, _ = judged_round(5, flagged=1)
        shown = table(expert).content.decode()
        assert draw_address(round_) in shown
        assert "cannot be undone" in shown
        assert "kind=spot-checks" not in shown

    def test_not_drawn_since_the_list_is_gone(self, expert):
        shown = table(expert).content.decode()
        assert "None can be drawn" in shown
        assert "cannot be undone" not in shown

    def test_drawn(self, expert, universe, judged_round):
        round_, _ = judged_round(5, flagged=1)
        draw_spot_checks(round=round_, expert=universe.expert)
        shown = table(expert).content.decode()
        assert draw_address(round_) not in shown
        assert "is told once a spot check of each kind" in shown
        assert "Wrong labels among" not in shown
        assert "0 of 0 judged, of 1 galaxies" in shown

    def test_half_reviewed(self, expert, universe, judged_round):
        round_, _ = judged_round(300, flagged=3)
        draw_spot_checks(round=round_, expert=universe.expert)
        for row in round_.flags.filter(rank__gt=3)[:50]:
            record_verdict(flag=row, expert=universe.expert, state="votes-right")
        shown = table(expert).content.decode()
        assert "Wrong labels among all 300 judged galaxies" in shown
        assert "from 0 of 3 flags and 50 of 95 spot checks" in shown
        assert "with no single figure while a flag is open or unsure" in shown

    def test_done(self, expert, universe, judged_round):
        round_, _ = judged_round(10, flagged=2)
        draw_spot_checks(round=round_, expert=universe.expert)
        rows = list(round_.flags.order_by("rank"))
        record_verdict(
            flag=rows[0],
            expert=universe.expert,
            state="mislabel",
            annotations=[("shape", "featured")],
        )
        for row in rows[1:]:
            answer = post(expert, row, state="votes-right")
        assert answer["Location"] == reverse("review")
        shown = table(expert).content.decode()
        assert "Every flag and spot check of this round has a verdict" in shown
        assert (
            "<strong>10.0% (10.0% to 10.0%)</strong>, from 2 of 2 flags and 8 of 8 spot checks"
            in shown
        )

    def test_none_to_draw(self, expert, universe, judged_round):
        round_, _ = judged_round(3, flagged=3)
        draw_spot_checks(round=round_, expert=universe.expert)
        shown = table(expert).content.decode()
        assert "There was none to draw" in shown

    @pytest.mark.parametrize(
        ("kind", "n"), [("", 5), ("flags", 2), ("spot-checks", 3), ("nonsense", 5)]
    )
    def test_filters_by_kind(self, expert, universe, judged_round, kind, n):
        round_, _ = judged_round(5, flagged=2)
        draw_spot_checks(round=round_, expert=universe.expert)
        answer = table(expert, kind=kind)
        assert len(answer.context["cards"]) == n

    def test_a_verdict_leads_on_within_the_filter(self, expert, universe, judged_round):
        round_, _ = judged_round(5, flagged=2)
        draw_spot_checks(round=round_, expert=universe.expert)
        first, second = round_.flags.filter(rank__gt=2)[:2]
        answer = expert.post(f"{address(first)}?kind=spot-checks", {"state": "votes-right"})
        assert answer["Location"] == f"{address(second)}?kind=spot-checks"

    def test_an_empty_filter_says_so(self, expert, universe, judged_round):
        round_, _ = judged_round(5, flagged=2)
        draw_spot_checks(round=round_, expert=universe.expert)
        shown = table(expert, kind="spot-checks", state="unsure").content.decode()
        assert "No spot check is in this state" in shown

    def test_the_page_of_one_says_what_it_is(self, expert, universe, judged_round):
        round_, subjects = judged_round(2)
        draw_spot_checks(round=round_, expert=universe.expert)
        pages = {
            subjects.index(row.subject): expert.get(address(row)).content.decode()
            for row in round_.flags.all()
        }
        for page in pages.values():
            assert "Drawn at random, to count wrong labels" in page
            assert "q = " not in page
        assert "galaxies that look like it get “Featured” from 85%" in pages[0]
        assert "galaxies that look like it get the same from 75%" in pages[1]


@pytest.mark.parametrize("page", ["rounds_mislabelflag", "review_flagverdict", "review_spotchecks"])
def test_the_admin_site_tells_them_apart(client_of, universe, judged_round, page):
    round_, _ = judged_round(3, flagged=1)
    draw_spot_checks(round=round_, expert=universe.expert)
    record_verdict(flag=round_.flags.last(), expert=universe.expert, state="unsure")
    answer = client_of(Role.ADMIN).get(reverse(f"admin:{page}_changelist"))
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == (3 if page == "rounds_mislabelflag" else 1)
