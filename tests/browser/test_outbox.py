"""No click is lost: two tabs, no network, a full store, an expired session, a wrong clock."""

import json
from uuid import UUID

import pytest
from playwright.sync_api import expect

from lenticular.accounts.models import Session
from lenticular.accounts.services import volunteer_of
from lenticular.classifications.models import Classification
from lenticular.workflows.services import publish_version
from mlcore.tree import DecisionTree
from tests.browser.desk import (
    KEPT,
    QUESTION,
    answered,
    latest,
    leave,
    press,
    ready,
    stocked,
    subject_of,
    votes,
    wait_until,
)
from tests.browser.gallery import PAGE, PASSWORD

API = "**/api/v1/**"
POST = "**/api/v1/classifications/"
STATE = "#outbox-state"
FORBIDDEN = """
for (const name of ["setItem", "removeItem"])
  Storage.prototype[name] = () => { throw new DOMException("full", "QuotaExceededError"); };
"""
CLOSED = """
const get = () => { throw new DOMException("no", "SecurityError"); };
Object.defineProperty(window, "localStorage", { get });
"""


@pytest.fixture
def desk(open_page):
    page = open_page(PAGE)
    ready(page)
    stocked(page)
    return page


def second_tab(page):
    other = page.context.new_page()
    other.goto(PAGE)
    expect(other.locator("#live")).to_contain_text("Another tab has that galaxy")
    return other


def entry(uuid, **changes):
    return {
        "uuid": uuid, "version": 1, "subject": 1, "annotations": [["a", "b"]], "metadata": {},
        **changes,
    }  # fmt: skip


def keep(page, uuid, kept):
    """Put an entry on the device, as a page that was left had."""
    page.evaluate(
        "([key, text]) => localStorage[`lenticular.outbox.${key}`] = text", [uuid, json.dumps(kept)]
    )


def sign_in_here(page, user):
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def sign_out(page):
    page.goto("/accounts/sign-out/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/")


def test_answers_survive_no_network_and_a_reload_and_are_sent_once(desk):
    before = votes()
    desk.route(API, lambda route: route.abort())
    for _ in range(2):
        press(desk, "3")
        desk.wait_for_timeout(150)
    leave(desk)
    expect(desk.locator(STATE)).to_contain_text("2 to send")
    expect(desk.get_by_role("alert")).to_contain_text("saved on this device")
    assert votes() == before
    desk.reload()
    expect(desk.locator(STATE)).to_contain_text("2 to send")
    desk.unroute(API)
    desk.evaluate("dispatchEvent(new Event('online'))")
    answered(desk, before, count=2)
    expect(desk.locator(STATE)).to_have_text("All sent")
    expect(desk.locator("#trouble")).to_be_hidden()
    assert desk.evaluate(KEPT) == 0
    desk.reload()
    answered(desk, before, count=2)


def test_an_answer_lost_on_the_way_back_is_not_counted_twice(desk):
    before, posts = votes(), []

    def lose_the_first_answer(route):
        posts.append(json.loads(route.request.post_data)["classifications"][0]["uuid"])
        if len(posts) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    desk.route(POST, lose_the_first_answer)
    press(desk, "3", "Enter")
    wait_until(desk, lambda: len(posts) == 2, "the second post")
    expect(desk.locator(STATE)).to_have_text("All sent")
    assert posts[0] == posts[1]
    assert votes() == before + 1


@pytest.mark.parametrize(("status", "after"), [(429, "1"), (503, "1"), (500, ""), (400, "")])
def test_a_busy_server_is_asked_again_and_nothing_is_lost(desk, status, after):
    before, posts = votes(), []

    def busy_once(route):
        posts.append(route)
        headers = {"Retry-After": after} if after else {}
        return (
            route.fulfill(status=status, headers=headers) if len(posts) == 1 else route.continue_()
        )

    desk.route(POST, busy_once)
    press(desk, "3", "Enter")
    expect(desk.get_by_role("alert")).to_contain_text("The server is busy")
    answered(desk, before)
    expect(desk.locator("#trouble")).to_be_hidden()


def test_two_tabs_never_show_the_same_galaxy_and_send_each_answer_once(desk):
    before, posts = votes(), []
    desk.context.on("request", lambda request: request.method == "POST" and posts.append(request))
    other = second_tab(desk)
    shown = set()
    for page in (desk, other, desk, other):
        expect(page.locator("#galaxy")).to_be_visible()
        assert subject_of(page) not in shown
        shown.add(subject_of(page))
        stocked(page, 2)
        press(page, "3")
        page.wait_for_timeout(200)
    leave(desk)
    answered(other, before, count=4)
    for page in (desk, other):
        expect(page.locator(STATE)).to_have_text("All sent")
    bodies = [json.loads(each.post_data) for each in posts if each.url.endswith("classifications/")]
    sent = [one["uuid"] for body in bodies for one in body["classifications"]]
    assert len(sent) == len(set(sent)) == 4


def test_what_one_tab_keeps_the_other_counts_and_sends(desk):
    before = votes()
    other = second_tab(desk)
    desk.route(API, lambda route: route.abort())
    press(desk, "3", "Enter")
    expect(desk.locator(STATE)).to_contain_text("1 to send")
    expect(other.locator(STATE)).to_contain_text("1 to send")
    desk.close()
    other.evaluate("dispatchEvent(new Event('online'))")
    answered(other, before)
    expect(other.locator(STATE)).to_have_text("All sent")


def test_a_galaxy_held_in_one_tab_is_not_sent_by_the_other(desk):
    before = votes()
    other = second_tab(desk)
    press(desk, "3")
    other.evaluate("dispatchEvent(new Event('online'))")
    other.wait_for_timeout(500)
    assert votes() == before
    press(desk, "u")
    expect(desk.get_by_role("radio", name="Star or artifact")).to_be_checked()
    expect(other.locator(STATE)).to_have_text("All sent")


@pytest.mark.parametrize("script", [FORBIDDEN, CLOSED], ids=["full", "closed"])
def test_a_browser_that_keeps_nothing_says_so_and_warns_before_closing(open_page, script):
    page = open_page("/")
    page.add_init_script(script)
    page.goto(PAGE)
    ready(page)
    stocked(page, 3)
    before, asked = votes(), []
    page.route(POST, lambda route: route.fulfill(status=204) if asked else route.continue_())
    press(page, "3", "Enter")
    answered(page, before)
    asked.append("offline")
    press(page, "3", "Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    page.locator(QUESTION).click()
    page.goto("/about/")
    assert dialogs == ["beforeunload"]


def test_a_browser_that_keeps_nothing_is_told_so_while_something_waits(open_page):
    page = open_page("/")
    page.add_init_script(FORBIDDEN)
    page.goto(PAGE)
    ready(page)
    stocked(page, 3)
    press(page, "3")
    expect(page.get_by_role("alert")).to_contain_text("leave this page open")
    press(page, "Enter")
    expect(page.locator(STATE)).to_have_text("All sent")
    expect(page.locator("#trouble")).to_be_hidden()


def test_an_expired_token_is_replaced_without_a_word(desk):
    before = votes()
    desk.context.clear_cookies(name="csrftoken")
    press(desk, "3", "Enter")
    answered(desk, before)
    expect(desk.locator("#trouble")).to_be_hidden()
    expect(desk.locator(STATE)).to_have_text("All sent")


def test_an_expired_session_keeps_the_answers_for_the_account(open_page, sign_in, sky):
    page = open_page("/")
    sign_in(page, sky.volunteer)
    page.goto(PAGE)
    ready(page)
    stocked(page)
    before = votes()
    Session.objects.all().delete()
    press(page, "3", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("You are signed out")
    assert votes() == before
    page.get_by_role("alert").get_by_role("link", name="Sign in").click()
    sign_in_here(page, sky.volunteer)
    page.wait_for_url(f"**{PAGE}")
    answered(page, before)
    assert latest().volunteer == volunteer_of(user=sky.volunteer)
    expect(page.locator("#trouble")).to_be_hidden()


def test_who_signs_in_in_another_tab_goes_on_and_keeps_what_was_done(desk, sign_in, sky):
    before = votes()
    desk.route(POST, lambda route: route.abort())
    press(desk, "3", "Enter")
    expect(desk.locator(STATE)).to_contain_text("1 to send")
    other = desk.context.new_page()
    other.goto("/")
    sign_in(other, sky.volunteer)
    other.close()
    desk.unroute(POST)
    press(desk, "3", "Enter")
    answered(desk, before, count=2)
    mine = volunteer_of(user=sky.volunteer)
    newest = Classification.objects.order_by("-id")[:2]
    assert {each.volunteer_id for each in newest} == {mine.pk}
    expect(desk.locator("#trouble")).to_be_hidden()


def test_the_first_visit_in_two_tabs_loses_no_answer(desk):
    before = votes()
    desk.context.clear_cookies(name="volunteer")
    other = desk.context.new_page()
    other.goto(PAGE)
    ready(other)
    # What the first tab has is left to it, so that the second may have fewer at hand.
    stocked(other, 3)
    wait_until(other, lambda: subject_of(other) != subject_of(desk), "another galaxy")
    press(desk, "3", "Enter")
    answered(desk, before)
    press(other, "3", "Enter")
    answered(other, before, count=2)
    press(desk, "3", "Enter")
    answered(desk, before, count=3)
    newest = Classification.objects.order_by("-id")[:3]
    assert len({each.volunteer_id for each in newest}) == 2
    for page in (desk, other):
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator(STATE)).to_have_text("All sent")


def test_what_was_answered_before_signing_in_and_out_waits_for_the_account(desk, sign_in, sky):
    before, uuid = votes(), str(UUID(int=7, version=4))
    asked = json.loads(desk.locator("#page-data").text_content())
    given = {name: asked[name] for name in ("version", "account", "volunteer")}
    path = [["smooth-or-featured", "artifact"]]
    left = entry(uuid, **given, subject=asked["subject"]["id"], annotations=path)
    sign_in(desk, sky.volunteer)
    keep(desk, uuid, left)
    sign_out(desk)
    desk.goto(PAGE)
    expect(desk.get_by_role("alert")).to_contain_text("not sent yet: 1")
    ready(desk)
    press(desk, "3", "Enter")
    answered(desk, before)
    expect(desk.locator(STATE)).to_contain_text("1 to send")
    desk.get_by_role("alert").get_by_role("link", name="Sign in").click()
    sign_in_here(desk, sky.volunteer)
    desk.wait_for_url(f"**{PAGE}")
    answered(desk, before, count=2)
    assert latest().volunteer == volunteer_of(user=sky.volunteer)
    expect(desk.locator("#trouble")).to_be_hidden()
    expect(desk.locator(STATE)).to_have_text("All sent")


def test_a_new_tree_is_asked_from_the_next_galaxies_on(desk, sky):
    before, old = votes(), sky.workflow.current_version
    document = old.tree.to_dict()
    document["questions"][0]["text"]["en"] = "Smooth, or with features?"
    new = publish_version(workflow=sky.workflow, tree=DecisionTree.from_dict(document))
    press(desk, "3", "Enter")
    answered(desk, before)
    assert latest().version == old
    with desk.expect_response(lambda answer: answer.url.endswith(PAGE)) as read:
        press(desk, "3", "Enter")
        answered(desk, before, count=2)
    read.value.finished()
    desk.wait_for_timeout(300)
    expect(desk.locator(QUESTION)).not_to_have_text("Smooth, or with features?")
    press(desk, "3")
    expect(desk.locator(QUESTION)).to_have_text("Smooth, or with features?")
    press(desk, "3", "Enter")
    answered(desk, before, count=4)
    # Two of them may be under way at once, and arrive in either order.
    asked = {each.version for each in Classification.objects.order_by("-id")[:2]}
    assert asked == {old, new}
    assert new != old


def test_a_clock_that_is_off_is_noted_and_the_vote_counts(open_page):
    page = open_page("/")
    page.clock.install(time="2031-05-01T12:00:00Z")
    page.goto(PAGE)
    ready(page)
    before = votes()
    press(page, "3", "Enter")
    answered(page, before)
    assert latest().started_at.year == 2031
    assert latest().metadata["clock_skew"] > 365 * 24 * 3600
    assert 0 <= latest().metadata["seconds"] < 60


def test_a_clock_that_was_never_set_costs_no_vote(open_page):
    page = open_page("/")
    page.add_init_script("Date.prototype.getUTCFullYear = () => 12026")
    page.goto(PAGE)
    ready(page)
    before = votes()
    press(page, "3", "Enter")
    answered(page, before)
    assert latest().started_at is None


def test_garbage_and_an_entry_refused_for_good_do_not_hold_up_the_others(open_page):
    page = open_page("/")
    bad, uuid = str(UUID(int=7, version=4)), "not a uuid"
    page.evaluate(
        "all => all.forEach(([key, text]) => localStorage[`lenticular.outbox.${key}`] = text)",
        [[bad, json.dumps(entry(bad))], [uuid, json.dumps(entry(uuid))], ["x", "{{{"], ["y", "[]"]],
    )
    page.goto(PAGE)
    expect(page.get_by_role("alert")).to_contain_text("The others are safe")
    ready(page)
    before = votes()
    press(page, "3", "Enter")
    answered(page, before)
    expect(page.locator(STATE)).to_have_text("All sent")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("English", "its galaxy or its questions are not there"),
        ("繁體中文", "其星系或問題已不存在"),
    ],
)
def test_why_an_entry_is_refused_is_said_in_the_chosen_language(open_page, language, words):
    page = open_page("/")
    page.locator(".site-tools .menu summary").click()
    page.get_by_role("button", name=language).click()
    uuid = "00000000-0000-4000-8000-000000000007"
    keep(page, uuid, entry(uuid, version=987654, started_at="2026-01-01T00:00:00Z"))
    page.goto(PAGE)
    expect(page.get_by_role("alert")).to_contain_text(words)


def test_a_galaxy_answered_elsewhere_is_refused_kindly(desk):
    before = votes()
    other = desk.context.browser.new_context(
        base_url=desk.url.split("/classify")[0], storage_state=desk.context.storage_state()
    )
    page = other.new_page()
    page.goto(PAGE)
    ready(page)
    press(page, "3", "Enter")
    answered(page, before)
    other.close()
    press(desk, "3", "Enter")
    leave(desk)
    expect(desk.get_by_role("alert")).to_contain_text("your first answers count")
    assert votes() == before + 1
