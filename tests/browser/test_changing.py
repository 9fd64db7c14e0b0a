"""An answer can be changed until it is sent, and nobody waits for that."""

import pytest
from playwright.sync_api import expect

from lenticular.selection.models import QueueEntry
from tests.browser.desk import (
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
from tests.browser.gallery import PAGE

UNDO = "#undo button"


@pytest.fixture
def desk(open_page):
    page = open_page(PAGE)
    ready(page)
    stocked(page, 4)
    return page


def crumbs(page):
    return page.locator("#crumbs li").all_inner_texts()


def test_back_keeps_the_answers_beyond_and_enter_goes_over_them(desk):
    press(desk, "2", "2", "1")
    press(desk, "Backspace")
    expect(desk.get_by_role("radio", name="Strong bar")).to_be_checked()
    desk.get_by_role("button", name="Features or disk").click()
    expect(desk.get_by_role("radio", name="Features or disk")).to_be_checked()
    assert crumbs(desk) == ["Features or disk", "No, something else", "Strong bar"]
    expect(desk.locator("#crumbs [aria-current=step]")).to_have_text("Features or disk")
    press(desk, "Enter")
    expect(desk.locator(QUESTION)).to_contain_text("spiral")
    assert crumbs(desk) == ["Features or disk", "No, something else", "Strong bar"]


def test_a_crumb_leads_on_to_an_answer_further_on(desk):
    press(desk, "2", "2", "1", "Backspace", "Backspace", "Backspace")
    desk.get_by_role("button", name="Strong bar").click()
    expect(desk.get_by_role("radio", name="Strong bar")).to_be_checked()


def test_a_changed_answer_keeps_what_still_applies(desk):
    before = votes()
    press(desk, "1", "1", "Backspace", "Backspace")
    expect(desk.get_by_role("radio", name="Smooth")).to_be_checked()
    press(desk, "1")
    expect(desk.get_by_role("radio", name="Completely round")).to_be_checked()
    press(desk, "3", "1")
    answered(desk, before)
    assert latest().annotations[1] == ["how-rounded", "cigar-shaped"]


def test_undo_brings_the_galaxy_back_with_its_answers_and_enter_sends_it(desk):
    before, first = votes(), subject_of(desk)
    press(desk, "1", "2", "1")
    expect(desk.locator(UNDO)).to_be_visible()
    second = subject_of(desk)
    assert second != first
    press(desk, "u")
    assert subject_of(desk) == first
    assert crumbs(desk) == ["Smooth", "In between", "Neither"]
    expect(desk.locator(UNDO)).to_be_hidden()
    expect(desk.locator("#live")).to_contain_text("the galaxy before")
    press(desk, "Backspace", "1", "Enter")
    assert subject_of(desk) == second
    answered(desk, before)
    assert latest().annotations[1] == ["how-rounded", "round"]


@pytest.mark.parametrize("way", ["backspace", "button", "back"])
def test_every_way_back_to_the_galaxy_before(desk, way):
    before, first = votes(), subject_of(desk)
    press(desk, "3")
    expect(desk.locator(UNDO)).to_be_visible()
    if way == "backspace":
        press(desk, "Backspace")
    elif way == "button":
        desk.locator(UNDO).click()
    else:
        desk.get_by_role("button", name="Back", exact=True).click()
    assert subject_of(desk) == first
    expect(desk.get_by_role("radio", name="Star or artifact")).to_be_checked()
    leave(desk)
    desk.wait_for_timeout(300)
    assert votes() == before


@pytest.mark.parametrize("key", ["1", "Enter"])
def test_the_first_answer_to_the_next_galaxy_or_enter_sends_the_one_before(desk, key):
    before = votes()
    press(desk, "3")
    desk.wait_for_timeout(300)
    assert votes() == before
    press(desk, key)
    wait_until(desk, lambda: votes() == before + 1, "the vote that was held")
    expect(desk.locator(UNDO)).to_be_hidden()
    expect(desk.locator("#trouble")).to_be_hidden()


def test_a_galaxy_that_nobody_takes_back_is_sent_after_a_few_seconds(desk):
    before = votes()
    press(desk, "3")
    wait_until(desk, lambda: votes() == before + 1, "the vote, by itself")
    expect(desk.locator(UNDO)).to_be_hidden()
    expect(desk.locator("#outbox-state")).to_have_text("All sent")


def test_a_page_that_is_left_or_reloaded_sends_what_it_holds(desk):
    before, first = votes(), subject_of(desk)
    press(desk, "3")
    desk.reload()
    ready(desk)
    wait_until(desk, lambda: votes() == before + 1, "the vote that was held")
    assert subject_of(desk) != first


def test_a_tab_in_the_background_sends_what_it_holds(desk):
    before = votes()
    press(desk, "3")
    desk.evaluate(
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden'});"
        "document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))"
    )
    wait_until(desk, lambda: votes() == before + 1, "the vote that was held")


def test_the_last_galaxy_of_all_can_be_had_back(open_page, sky):
    QueueEntry.objects.exclude(subject=sky.subjects[0]).update(is_retired=True)
    page = open_page(PAGE)
    ready(page)
    press(page, "3")
    expect(page.get_by_role("heading", name="You have seen every galaxy")).to_be_visible()
    page.locator(UNDO).click()
    expect(page.get_by_role("radio", name="Star or artifact")).to_be_checked()
    before = votes()
    press(page, "Enter")
    expect(page.get_by_role("heading", name="You have seen every galaxy")).to_be_visible()
    answered(page, before)


def test_whoever_wants_it_is_asked_before_a_galaxy_is_sent(desk):
    before, first = votes(), subject_of(desk)
    press(desk, "?")
    desk.get_by_label("Ask before sending").check()
    press(desk, "Escape", "1", "2", "1")
    expect(desk.locator(QUESTION)).to_have_text("Send these answers?")
    expect(desk.locator("#answers dd")).to_have_text(["Smooth", "In between", "Neither"])
    assert subject_of(desk) == first
    press(desk, "Backspace", "4")
    expect(desk.locator("#answers dd")).to_have_text(["Smooth", "In between", "Merger"])
    press(desk, "Enter")
    assert subject_of(desk) != first
    answered(desk, before)
    desk.reload()
    ready(desk)
    press(desk, "3")
    expect(desk.get_by_role("button", name="Send")).to_be_visible()


def test_single_keys_can_be_turned_off_and_enter_stays(desk):
    press(desk, "?")
    desk.get_by_label("Single keys are shortcuts").uncheck()
    press(desk, "Escape", "1")
    expect(desk.locator("#answers input:checked")).to_have_count(0)
    desk.get_by_role("radio", name="Smooth").focus()
    press(desk, "Space", "Enter")
    expect(desk.locator(QUESTION)).to_have_text("How rounded is it?")


def test_touch_answers_goes_back_and_undoes(open_page):
    page = open_page(PAGE, viewport={"width": 360, "height": 740}, has_touch=True)
    ready(page)
    stocked(page, 4)
    before, first = votes(), subject_of(page)
    for name in ("Smooth", "In between", "Neither"):
        page.wait_for_timeout(300)
        page.get_by_role("radio", name=name, exact=True).tap()
    expect(page.locator(UNDO)).to_be_visible()
    page.locator(UNDO).tap()
    assert subject_of(page) == first
    page.get_by_role("button", name="Next").tap()
    answered(page, before)
