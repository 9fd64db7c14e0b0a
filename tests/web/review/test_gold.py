"""Gold standards: made and withdrawn by experts, on pages of their own."""

import pytest
from django.urls import reverse

from lenticular.accounts.models import Role
from lenticular.classifications.models import Classification, GoldWithdrawal, Kind
from lenticular.classifications.selectors import gold_standards
from lenticular.common.errors import ForbiddenError
from lenticular.review.errors import BadVerdictError, GivenBeforeError
from lenticular.review.services import make_gold_standard, record_verdict, withdraw_gold
from lenticular.rounds.models import FlagState
from tests.universe import FEATURED, SMOOTH_LONG, SMOOTH_ROUND, give_gold

pytestmark = pytest.mark.django_db
LIST = "/review/gold/shapes/"


def make(universe, subject, path=FEATURED, **changes):
    return make_gold_standard(
        version=universe.version,
        subject=subject,
        annotations=path,
        **{"expert": universe.expert, **changes},
    )


class TestMaking:
    def test_the_answers_join_the_log(self, universe):
        gold = make(universe, universe.subjects[3], explanation="Arms, faint.")

        assert Classification.objects.filter(kind=Kind.EXPERT).get() == gold
        assert gold.gold_standard
        assert gold.metadata == {"explanation": "Arms, faint."}

    def test_the_same_again_answers_as_the_first_did(self, universe):
        subject = universe.subjects[3]
        assert make(universe, subject) == make(universe, subject)

    def test_answers_given_without_it_are_not_promoted(self, universe, flag):
        record_verdict(flag=flag, expert=universe.expert, state="mislabel", annotations=FEATURED)
        with pytest.raises(GivenBeforeError, match="a colleague can"):
            make(universe, flag.subject)
        assert make(universe, flag.subject, expert=universe.admin).gold_standard

    def test_a_withdrawn_one_is_not_made_again_but_a_colleague_can(self, universe, flag):
        gold = make(universe, flag.subject)
        withdraw_gold(classification=gold, expert=universe.expert, reason="the wrong galaxy")
        with pytest.raises(GivenBeforeError, match="as one that is withdrawn; a colleague can"):
            make(universe, flag.subject)
        with pytest.raises(GivenBeforeError, match="as one that is withdrawn"):
            record_verdict(
                flag=flag, expert=universe.expert, state="mislabel", annotations=FEATURED,
                gold_standard=True,
            )  # fmt: skip
        flag.refresh_from_db()
        assert flag.state == FlagState.OPEN
        record_verdict(flag=flag, expert=universe.expert, state="mislabel", annotations=FEATURED)
        again = make(universe, flag.subject, expert=universe.admin)
        assert gold_standards(version_id=universe.version.pk).get() == again

    def test_a_verdict_takes_the_explanation_along(self, universe, flag):
        record_verdict(
            flag=flag, expert=universe.expert, state="mislabel", annotations=FEATURED,
            gold_standard=True, explanation="A bar, faint.",
        )  # fmt: skip
        gold = Classification.objects.get(kind=Kind.EXPERT)
        assert gold.metadata == {"explanation": "A bar, faint."}

    def test_others_are_refused(self, universe):
        with pytest.raises(ForbiddenError):
            make(universe, universe.subjects[3], expert=universe.astronomer)
        gold = give_gold(universe, universe.subjects[3])
        with pytest.raises(ForbiddenError):
            withdraw_gold(classification=gold, expert=universe.volunteer_user, reason="no")
        assert not GoldWithdrawal.objects.exists()

    @pytest.mark.parametrize(
        ("path", "explanation", "match"),
        [
            ([("shape", "smooth")], "", "roundness"),
            ([("shape", "square")], "", "square"),
            (FEATURED, "x" * 501, "at most 500 characters, has 501"),
        ],
    )
    def test_what_breaks_a_rule_leaves_nothing(self, universe, path, explanation, match):
        with pytest.raises(BadVerdictError, match=match):
            make(universe, universe.subjects[3], path, explanation=explanation)
        assert not Classification.objects.filter(kind=Kind.EXPERT).exists()


class TestPages:
    @pytest.mark.parametrize(
        "address",
        [LIST, "/review/gold/shapes/{subject}/", "/review/gold-standards/{gold}/withdraw/"],
    )
    def test_access(self, client_of, universe, address):
        gold = give_gold(universe, universe.subjects[3])
        page = address.format(subject=universe.subjects[3].pk, gold=gold.pk)
        assert client_of(None).post(page).status_code == 302
        assert client_of(Role.VOLUNTEER).post(page).status_code == 403
        assert client_of(Role.VOLUNTEER).get(page).status_code == 403

    def test_a_galaxy_is_made_gold(self, client_of, universe):
        client, subject = client_of(Role.EXPERT), universe.subjects[3]
        page = client.get(f"{LIST}{subject.pk}/")
        assert "How round is it?" in page.content.decode()

        answer = client.post(
            f"{LIST}{subject.pk}/",
            {"answer-shape": "smooth", "answer-roundness": "round", "explanation": "Even glow."},
            follow=True,
        )

        [card] = answer.context["cards"]
        assert card.answers == ["Smooth", "Round"]
        assert card.explanation == "Even glow."
        assert (card.practised, card.agreed) == (0, 0)
        assert "Even glow." in answer.content.decode()

    def test_a_broken_path_is_shown_again_with_what_is_wrong(self, client_of, universe):
        client = client_of(Role.EXPERT)
        page = client.post(f"{LIST}{universe.subjects[3].pk}/", {"answer-shape": "smooth"})
        assert page.status_code == 400
        assert "roundness" in page.content.decode()
        assert not Classification.objects.filter(kind=Kind.EXPERT).exists()

    def test_a_gold_standard_is_withdrawn_with_a_reason(self, client_of, universe):
        gold = give_gold(universe, universe.subjects[3])
        client = client_of(Role.EXPERT)
        address = reverse("review-withdraw-gold", args=[gold.pk])

        assert "1 to 500" in client.post(address, follow=True).content.decode()
        assert not GoldWithdrawal.objects.exists()
        page = client.post(address, {"reason": "blurred"}, follow=True)

        assert GoldWithdrawal.objects.get().reason == "blurred"
        assert page.context["cards"] == []

    @pytest.mark.parametrize(
        "address",
        ["/review/gold/none/", "/review/gold/shapes/999999/", "/review/gold/none/1/"],
    )
    def test_what_is_not_there_is_not_found(self, client_of, universe, address):
        assert client_of(Role.EXPERT).get(address).status_code == 404

    def test_withdrawing_what_is_not_gold_is_not_found(self, client_of, universe):
        vote = universe.recorded[0].classification
        address = reverse("review-withdraw-gold", args=[vote.pk])
        assert client_of(Role.EXPERT).post(address, {"reason": "x"}).status_code == 404

    def test_how_volunteers_do_is_told(self, client_of, universe):
        from tests.web.classify.test_practice import practise

        practise(universe, SMOOTH_ROUND, subject=_outside_panel(universe))
        practise(universe, SMOOTH_LONG, subject=_outside_panel(universe), gold=None)
        [card] = client_of(Role.EXPERT).get(LIST).context["cards"]
        assert (card.practised, card.agreed) == (2, 1)


def _outside_panel(universe):
    from lenticular.selection.models import QueueEntry

    return QueueEntry.objects.filter(in_panel=False).order_by("subject_id").first().subject
