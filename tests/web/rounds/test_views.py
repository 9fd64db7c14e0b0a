"""The rounds pages, as anonymous, forbidden and allowed."""

import shutil

import pytest
from django.urls import reverse

from lenticular.rounds import services
from lenticular.rounds.models import Round, RoundState, Verdict
from lenticular.rounds.work import claim_round, fail_round, report_progress
from lenticular.rounds.workspace import round_folder

from .conftest import TINY, WORKER

pytestmark = pytest.mark.django_db


@pytest.fixture
def refused(running, admin, write_stages):
    """A round that the gate refused."""
    write_stages(running, not_worse=False)
    return services.publish_round(round=running, worker=WORKER)


def page(name, round_):
    return reverse(name, args=[round_.workflow.slug, round_.number])


def every_address(round_):
    """Yield (method, address) of every page of the app."""
    yield "get", reverse("rounds")
    yield "post", reverse("round-start", args=[round_.workflow.slug])
    yield "get", page("round", round_)
    for name in ("round-cancel", "round-resume", "round-override"):
        yield "post", page(name, round_)


def test_anonymous_people_are_sent_to_sign_in(client, pending):
    for method, address in every_address(pending):
        answer = getattr(client, method)(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("sign-in"))


def test_others_are_refused(client, pending, expert):
    client.force_login(expert)
    for method, address in every_address(pending):
        assert getattr(client, method)(address).status_code == 403
    pending.refresh_from_db()
    assert pending.state == RoundState.PENDING


def test_changes_need_a_post(client, pending, admin):
    client.force_login(admin)
    for method, address in every_address(pending):
        if method == "post":
            assert client.get(address).status_code == 405


class TestList:
    def test_offers_to_start_a_round(self, client, workflow, admin):
        client.force_login(admin)
        shown = client.get(reverse("rounds")).content.decode()
        assert "Tiny galaxies" in shown
        assert "Start a round" in shown

    def test_shows_the_active_round_instead(self, client, pending, admin):
        client.force_login(admin)
        shown = client.get(reverse("rounds")).content.decode()
        assert "Watch round 1" in shown
        assert "Start a round" not in shown

    def test_shows_what_rounds_came_to(self, client, refused, admin):
        client.force_login(admin)
        shown = client.get(reverse("rounds")).content.decode()
        assert "finished, not published" in shown
        assert "90.0%" in shown
        assert "-0.100 … +0.200" in shown


class TestStart:
    def test_leads_to_the_new_round(self, client, workflow, admin):
        client.force_login(admin)
        answer = client.post(reverse("round-start", args=["tiny"]))
        assert answer.status_code == 302
        assert answer["Location"] == page("round", Round.objects.get())

    def test_a_second_start_is_a_conflict(self, client, pending, admin):
        client.force_login(admin)
        answer = client.post(reverse("round-start", args=["tiny"]))
        assert answer.status_code == 409
        assert "round 1 is active" in answer.content.decode()

    def test_too_few_votes_are_told(self, client, empty_workflow, admin):
        client.force_login(admin)
        answer = client.post(reverse("round-start", args=["tiny"]))
        assert answer.status_code == 400
        assert "a round needs at least 20 galaxies" in answer.content.decode()

    def test_an_unknown_workflow_is_not_found(self, client, admin):
        client.force_login(admin)
        assert client.post(reverse("round-start", args=["nowhere"])).status_code == 404


class TestRound:
    def test_an_unknown_round_is_not_found(self, client, workflow, admin):
        client.force_login(admin)
        assert client.get(reverse("round", args=["tiny", 9])).status_code == 404

    def test_shows_one_line_per_stage(self, client, running, admin):
        report_progress(
            round_id=running.pk, worker=WORKER, stage="train", fraction=0.42, message="epoch 3"
        )
        client.force_login(admin)
        shown = client.get(page("round", running)).content.decode()
        for stage in running.stages.all():
            assert f'data-stage="{stage.name}"' in shown
        assert 'value="42"' in shown
        assert "epoch 3" in shown
        assert "Cancel this round" in shown
        assert "frontend/rounds.js" in shown

    def test_shows_why_a_round_failed_and_how_to_go_on(self, client, running, admin):
        fail_round(round_id=running.pk, worker=WORKER, stage="train", error="out of memory")
        client.force_login(admin)
        shown = client.get(page("round", running)).content.decode()
        assert "train: out of memory" in shown
        assert "Resume where it stopped" in shown
        assert reverse("workflow-rounds", args=["tiny"]) in shown
        assert "Cancel this round" not in shown

    @pytest.mark.parametrize("is_over", [False, True])
    def test_warns_of_images_that_could_not_be_read(
        self, client, running, admin, write_stages, *, is_over
    ):
        client.force_login(admin)
        write_stages(running, unreadable={"s:7": "missing: 7.jpg must be a file, there is none"})
        if is_over:
            services.publish_round(round=running, worker=WORKER)
            shutil.rmtree(round_folder(running))
        shown = client.get(page("round", running)).content.decode()
        assert "1 image could not be read; the round goes without it" in shown
        assert '<p lang="en">1 missing</p>' in shown
        assert "<bdi>s:7</bdi>: missing: 7.jpg must be a file" in shown

    def test_says_nothing_of_images_where_all_could_be_read(self, client, refused, admin):
        client.force_login(admin)
        assert "could not be read" not in client.get(page("round", refused)).content.decode()

    def test_shows_the_evaluation_and_the_gate(self, client, refused, admin):
        client.force_login(admin)
        shown = client.get(page("round", refused)).content.decode()
        assert "What shape is it?" in shown
        assert "88.0%" in shown
        assert "+0.1000 nats, 90% interval -0.1000 to +0.2000, over 8 galaxies" in shown
        assert "from scratch: no hub" in shown
        assert "Override the gate" in shown

    def test_says_why_a_round_of_another_tree_is_not_published(
        self, client, running, admin, write_stages, ask_another_tree
    ):
        write_stages(running, not_worse=True)
        ask_another_tree()
        services.publish_round(round=running, worker=WORKER)
        client.force_login(admin)
        shown = client.get(page("round", running)).content.decode()
        assert "finished, not published" in shown
        assert "People answer another version of the decision tree by now." in shown
        assert "Override the gate" not in shown

    def test_has_no_inline_style_or_script(self, client, refused, admin):
        client.force_login(admin)
        shown = client.get(page("round", refused)).content.decode()
        assert "style=" not in shown
        assert "onclick" not in shown


class TestChanges:
    def test_cancel(self, client, pending, admin):
        client.force_login(admin)
        assert client.post(page("round-cancel", pending)).status_code == 302
        pending.refresh_from_db()
        assert pending.state == RoundState.CANCELLED

    def test_cancelling_twice_is_a_conflict(self, client, pending, admin):
        client.force_login(admin)
        client.post(page("round-cancel", pending))
        answer = client.post(page("round-cancel", pending))
        assert answer.status_code == 409
        assert "only an active round can be cancelled" in answer.content.decode()

    def test_resume(self, client, pending, admin):
        services.cancel_round(round=pending, user=admin)
        client.force_login(admin)
        assert client.post(page("round-resume", pending)).status_code == 302
        assert claim_round(round_id=pending.pk, worker=WORKER)

    def test_override(self, client, refused, admin):
        client.force_login(admin)
        answer = client.post(page("round-override", refused), {"reason": "few controls yet"})
        assert answer.status_code == 302
        refused.refresh_from_db()
        assert refused.verdict == Verdict.OVERRIDDEN
        assert "few controls yet" in client.get(page("round", refused)).content.decode()

    def test_override_needs_a_reason(self, client, refused, admin):
        client.force_login(admin)
        answer = client.post(page("round-override", refused))
        assert answer.status_code == 400
        assert "reason must say why" in answer.content.decode()


def test_the_list_grows_without_more_queries(
    client, workflow, admin, django_assert_max_num_queries
):
    for _ in range(6):
        round_ = services.start_round(workflow=workflow, user=admin, config=TINY)
        services.cancel_round(round=round_, user=admin)
    client.force_login(admin)
    with django_assert_max_num_queries(11):
        client.get(reverse("rounds"))
