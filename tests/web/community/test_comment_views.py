"""Comments on the galaxy's page, and the pages to change and report them."""

import pytest

from lenticular.accounts.services import volunteer_of
from lenticular.community import services
from lenticular.community.models import Comment, CommentReport, CommentState
from lenticular.community.pages import COMMENTS_SHOWN
from tests.web.community.test_comments import age, report, say
from tests.web.community.test_views import known


@pytest.fixture
def page(town):
    return f"/galaxies/{town.subject.pk}/"


@pytest.fixture
def sign_in(client, town):
    def sign_in_(user):
        client.force_login(user)
        return client

    return sign_in_


def html_of(response):
    return response.content.decode()


def test_comments_are_blind_until_answered(client, town, page):
    say(town.author, town.subject, "It is plainly a merger")
    strangers = [client, known(client, town.universe.other_anonymous)]
    for stranger in strangers:
        html = html_of(stranger.get(page))
        assert "merger" not in html
        assert "Comments" not in html
    client.force_login(town.universe.volunteer_user)
    assert "merger" not in html_of(client.get(page))


def test_who_has_answered_reads_and_experts_do(sign_in, client, town, page):
    say(town.author, town.subject, "It is plainly a merger")
    for user in (town.readers[0], town.universe.expert, town.universe.astronomer):
        assert "plainly a merger" in html_of(sign_in(user).get(page))


def test_an_anonymous_reader_is_asked_to_sign_in(client, universe):
    subject = universe.recorded[-1].classification.subject
    html = html_of(known(client, universe.anonymous).get(f"/galaxies/{subject.pk}/"))
    assert "Sign in to comment" in html
    assert "<textarea" not in html
    response = client.post(f"/galaxies/{subject.pk}/comments/", {"text": "x"})
    assert response["Location"].startswith("/accounts/sign-in/")


def test_markup_is_shown_as_typed_and_links_pass_on_nothing(sign_in, town, page):
    client = sign_in(town.author)
    text = "<script>alert(1)</script>\n<img src=x onerror=y> https://example.org/?a=1&b=2."
    response = client.post(f"{page}comments/", {"text": text}, follow=True)
    html = html_of(response)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n&lt;img src=x onerror=y&gt; <a href=" in html
    address = "https://example.org/?a=1&amp;b=2"
    assert f'<a href="{address}" rel="nofollow noreferrer ugc">{address}</a>.' in html
    assert response.redirect_chain[0][0] == f"{page}#comment-{Comment.objects.get().pk}"


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        (" ", 400, "nothing to read"),
        ("a" * 2001, 400, "it has 2001 characters, 2000 are allowed"),
        ("sixth", 429, "a little fast"),
    ],
)
def test_a_comment_that_can_not_be_used_is_kept_for_its_author(sign_in, town, text, status, words):
    page = f"/galaxies/{town.subject.pk}/"
    for number in range(5):
        say(town.author, town.subject, f"{number}")
    response = sign_in(town.author).post(f"{page}comments/", {"text": text})
    assert response.status_code == status
    assert words in html_of(response)
    assert f">{text}</textarea>" in html_of(response)
    assert Comment.objects.count() == 5


def test_posting_before_answering_is_refused(sign_in, town):
    response = sign_in(town.author).post(f"/galaxies/{town.other.pk}/comments/", {"text": "x"})
    assert response.status_code == 403
    assert "once you have classified this galaxy" in html_of(response)
    assert Comment.objects.count() == 0
    assert sign_in(town.author).post("/galaxies/999999/comments/").status_code == 404
    assert sign_in(town.author).get(f"/galaxies/{town.other.pk}/comments/").status_code == 405


def test_the_author_changes_and_removes(sign_in, town, page):
    comment = say(town.author, town.subject)
    client, address = sign_in(town.author), f"/comments/{comment.pk}/"
    assert f"{address}change/" in html_of(client.get(page))
    assert ">Two arms</textarea>" in html_of(client.get(f"{address}change/"))
    html = html_of(client.post(f"{address}change/", {"text": "Three"}, follow=True))
    assert "Three" in html
    assert "(changed)" in html
    response = client.post(f"{address}change/", {"text": " "})
    assert (response.status_code, "nothing to read" in html_of(response)) == (400, True)
    age(comment, minutes=16)
    assert "<textarea" not in html_of(client.get(f"{address}change/"))
    assert client.post(f"{address}change/", {"text": "Four"}).status_code == 409
    html = html_of(client.post(f"{address}remove/", follow=True))
    assert "Removed by its author." in html
    assert "Three" not in html


def test_nobody_else_changes_or_removes(client, sign_in, town):
    comment = say(town.author, town.subject)
    addresses = [f"/comments/{comment.pk}/{act}/" for act in ("change", "remove")]
    for address in addresses:
        assert client.post(address)["Location"].startswith("/accounts/sign-in/")
    for user in (town.readers[0], town.universe.admin):
        for address in addresses:
            assert sign_in(user).post(address, {"text": "x"}).status_code == 403
    comment.refresh_from_db()
    assert comment.text == "Two arms"
    for act in ("change", "report"):
        assert sign_in(town.author).get(f"/comments/999999/{act}/").status_code == 404


def test_a_reader_reports(client, sign_in, town, page):
    comment = say(town.author, town.subject)
    address = f"/comments/{comment.pk}/report/"
    assert client.get(address)["Location"].startswith("/accounts/sign-in/")
    client = sign_in(town.readers[0])
    assert address in html_of(client.get(page))
    assert "Two arms" in html_of(client.get(address))
    assert client.post(address, {"reason": "because"}).status_code == 400
    html = html_of(client.post(address, {"reason": "rude", "note": "It hurts"}, follow=True))
    assert "A moderator will look" in html
    assert "Two arms" in html
    assert CommentReport.objects.get().reporter == volunteer_of(user=town.readers[0])


def test_a_report_page_tells_nothing_before_an_answer(sign_in, town):
    comment = say(town.author, town.subject, "A merger")
    client = sign_in(town.universe.volunteer_user)
    for response in (
        client.get(f"/comments/{comment.pk}/report/"),
        client.post(f"/comments/{comment.pk}/report/", {"reason": "rude"}),
    ):
        assert response.status_code == 403
        assert "A merger" not in html_of(response)


def test_a_held_or_hidden_comment_is_not_read_by_anybody(sign_in, town, page):
    held, hidden = say(town.author, town.subject, "First"), say(town.author, town.subject, "Second")
    for reader in town.readers:
        report(reader, held)
    services.moderate_comment(
        comment_id=hidden.pk, moderator=town.universe.expert, act="hide", reason="x"
    )
    for user in (town.author, town.readers[0]):
        html = html_of(sign_in(user).get(page))
        assert "hidden until a moderator has looked" in html
        assert "Hidden by a moderator." in html
        assert "First" not in html
        assert "Second" not in html
    assert sign_in(town.readers[0]).get(f"/comments/{held.pk}/report/").status_code == 403
    html = html_of(sign_in(town.author).get(f"/comments/{held.pk}/change/"))
    assert "First" not in html


def test_a_reply_begins_with_the_name(sign_in, town, page):
    comment = say(town.author, town.subject)
    elsewhere = say(town.universe.expert, town.other, "Elsewhere")
    client = sign_in(town.readers[0])
    assert ">@vera: </textarea>" in html_of(client.get(f"{page}?reply={comment.pk}"))
    for reply in (elsewhere.pk, "x", 999_999):
        assert "></textarea>" in html_of(client.get(f"{page}?reply={reply}"))


def test_long_threads_have_pages(sign_in, town, page):
    person = volunteer_of(user=town.author)
    Comment.objects.bulk_create(
        Comment(subject=town.subject, author=person, text=f"word-{n:03}")
        for n in range(COMMENTS_SHOWN + 3)
    )
    client = sign_in(town.readers[0])
    first = client.get(page).context["community"]["thread"]
    texts = [shown.text for shown in first["comments"]]
    assert (texts[0], texts[-1], len(texts)) == ("word-003", "word-052", COMMENTS_SHOWN)
    assert f"comments_before={first['earlier']}" in html_of(client.get(page))
    earlier = client.get(f"{page}?comments_before={first['earlier']}").context["community"]
    texts = [shown.text for shown in earlier["thread"]["comments"]]
    assert (texts, earlier["thread"]["earlier"]) == (["word-000", "word-001", "word-002"], None)


def test_who_is_suspended_is_told_why(sign_in, town, page):
    services.suspend_account(
        volunteer_id=volunteer_of(user=town.author).pk,
        moderator=town.universe.expert,
        reason="<i>Spam</i>",
    )
    client = sign_in(town.author)
    html = html_of(client.get(page))
    assert "&lt;i&gt;Spam&lt;/i&gt;" in html
    assert "<textarea" not in html
    assert client.post(f"{page}comments/", {"text": "x"}).status_code == 403


def test_who_has_left_is_not_named(sign_in, town, page):
    comment = say(town.author, town.subject)
    Comment.objects.filter(pk=comment.pk).update(author=None)
    html = html_of(sign_in(town.readers[0]).get(page))
    assert "someone who has left" in html
    assert "vera" not in html
    assert Comment.objects.get().state == CommentState.VISIBLE
