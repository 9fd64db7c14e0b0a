"""The moderators' pages, as anonymous, forbidden and successful."""

import pytest

from lenticular.accounts.services import volunteer_of
from lenticular.community import services
from lenticular.community.models import CommentState, ModerationAct, Suspension
from tests.web.community.test_comments import report, say

PAGES = ["/moderation/", "/moderation/record/"]


@pytest.fixture
def comment(town):
    comment = say(town.author, town.subject, "<b>Buy</b> https://example.org")
    report(town.readers[0], comment, note="<i>again</i>")
    return comment


def moderate(client, comment, act, reason="Advertising", **more):
    form = {"act": act, "reason": reason, "next": "/moderation/?show=all", **more}
    return client.post(f"/moderation/comments/{comment.pk}/", form)


def suspend(client, user, act="suspend", reason="Advertising"):
    person = volunteer_of(user=user)
    return client.post(f"/moderation/people/{person.pk}/", {"act": act, "reason": reason})


@pytest.mark.parametrize("role", [None, "volunteer", "astronomer"])
def test_the_pages_are_for_moderators(client_of, town, comment, role):
    client = client_of(role)
    responses = [client.get(page) for page in PAGES]
    responses += [moderate(client, comment, "hide"), suspend(client, town.author)]
    for response in responses:
        if role is None:
            assert response["Location"].startswith("/accounts/sign-in/")
        else:
            assert response.status_code == 403
            assert "example.org" not in response.content.decode()
    assert "/moderation/" not in client.get("/about/").content.decode()
    comment.refresh_from_db()
    assert (comment.state, ModerationAct.objects.count()) == (CommentState.VISIBLE, 0)


@pytest.mark.parametrize("role", ["expert", "admin"])
def test_moderators_see_reports_first(client_of, town, comment, role):
    other = say(town.readers[1], town.subject, "Two arms")
    client = client_of(role)
    html = client.get("/moderation/").content.decode()
    assert "&lt;b&gt;Buy&lt;/b&gt;" in html
    assert "&lt;i&gt;again&lt;/i&gt;" in html
    assert "Two arms" not in html
    assert [card["comment"] for card in client.get("/moderation/?show=all").context["cards"]] == [
        other,
        comment,
    ]
    assert client.get("/moderation/?show=hidden").context["cards"] == []
    assert client.get("/moderation/?show=x&page=x").context["show"] == "reported"


def test_an_act_is_done_recorded_and_leads_back(client_of, town, comment):
    client = client_of("expert")
    response = moderate(client, comment, "hide", reason="<u>Spam</u>")
    assert response["Location"] == "/moderation/?show=all"
    comment.refresh_from_db()
    assert comment.state == CommentState.HIDDEN
    html = client.get("/moderation/?show=hidden").content.decode()
    assert "Comment hidden: <bdi>&lt;u&gt;Spam&lt;/u&gt;</bdi>" in html
    assert "Restore" in html
    record = client.get("/moderation/record/").content.decode()
    assert "Comment hidden" in record
    assert "a-expert" in record


@pytest.mark.parametrize(("act", "reason"), [("hide", ""), ("x", "why"), ("restore", "why")])
def test_an_act_that_can_not_be_is_told(client_of, town, comment, act, reason):
    client = client_of("expert")
    assert moderate(client, comment, act, reason).status_code == 302
    assert "notice-warn" in client.get("/moderation/").content.decode()
    assert ModerationAct.objects.count() == 0


def test_unknown_things_are_not_found(client_of, town):
    client = client_of("expert")
    form = {"act": "hide", "reason": "x"}
    assert client.post("/moderation/comments/999999/", form).status_code == 404
    assert client.post("/moderation/people/999999/", form).status_code == 404
    assert client.get("/moderation/comments/1/").status_code == 405


def test_an_account_is_suspended_and_may_comment_again(client_of, town, comment):
    client = client_of("expert")
    assert suspend(client, town.author).status_code == 302
    assert Suspension.objects.get().volunteer == volunteer_of(user=town.author)
    assert "account suspended" in client.get("/moderation/").content.decode()
    assert "Advertising" in client.get("/moderation/record/").content.decode()
    suspend(client, town.author, "lift", "sorry")
    assert Suspension.objects.count() == 0
    record = client.get("/moderation/record/").content.decode()
    assert "Suspension lifted: <bdi>vera</bdi>" in record


@pytest.mark.parametrize(
    "model",
    ["favourite", "collection", "comment", "commentreport", "suspension", "moderationact"],
)
def test_the_admin_site_reads_and_changes_nothing(client_of, town, comment, model):
    client = client_of("admin")
    services.set_favourite(
        volunteer=town.universe.anonymous, subject_id=town.other.pk, favourite=True
    )
    services.create_collection(volunteer=town.universe.anonymous, name="Rings")
    services.moderate_comment(
        comment_id=comment.pk, moderator=town.universe.admin, act="hide", reason="x"
    )
    assert client.get(f"/admin/community/{model}/").status_code == 200
    assert client.get(f"/admin/community/{model}/add/").status_code == 403
