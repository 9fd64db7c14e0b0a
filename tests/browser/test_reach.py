"""Everybody can classify: by ear, enlarged, on the smallest phone, over a slow line."""

import pytest
from playwright.sync_api import expect

from tests.benchmarks.page_weight import weigh
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.desk import QUESTION, answered, press, ready, stocked, votes
from tests.browser.gallery import PAGE

FIVE_ANSWERS = ("2", "2", "1", "2")
SPOKEN = """() => {
  window.spoken = [];
  const live = document.querySelector("#live");
  new MutationObserver(() => window.spoken.push(live.textContent)).observe(live, {childList: true});
}"""
MOST_BYTES = 80 * 1024


@pytest.fixture
def desk(open_page):
    page = open_page(PAGE)
    ready(page)
    stocked(page, 4)
    return page


def test_a_screen_reader_finds_one_question_with_its_answers(desk):
    press(desk, "1")
    expect(desk.locator("#asking")).to_match_aria_snapshot("""
        - list "Your answers so far":
          - listitem:
            - button "Smooth"
        - group "How rounded is it?":
          - heading "How rounded is it?" [level=1]
          - group: What does this mean?
          - radio "Completely round"
          - radio "In between"
          - radio "Cigar-shaped"
        - button "Back"
        - button "Next"
        - text: /Question 2 of about 3/
    """)
    expect(desk.locator(QUESTION)).to_be_focused()


def test_a_screen_reader_finds_the_picture_and_its_tools(desk):
    expect(desk.locator("#viewer")).to_match_aria_snapshot("""
        - figure:
          - group /Picture of the galaxy/:
            - img "The galaxy to classify"
          - toolbar "Picture":
            - button "Zoom in"
            - button "Zoom out"
            - button "rotate"
            - button "invert"
            - group: light
            - button "reset"
    """)


def test_progress_and_result_are_said_once_each(desk):
    before = votes()
    desk.evaluate(SPOKEN)
    press(desk, "1", "2", "1")
    expect(desk.locator(QUESTION)).to_be_focused()
    assert desk.evaluate("window.spoken") == [
        "Question 2 of about 3",
        "Question 3 of about 3",
        "Galaxy done. Here is the next one. Question 1 of about 3",
    ]
    answered(desk, before)
    expect(desk.get_by_role("status").filter(has_text="See it")).to_have_count(1)
    assert len(desk.evaluate("window.spoken")) == 3


def test_a_whole_galaxy_by_the_tab_key_alone(desk):
    before = votes()
    for _ in range(3):
        desk.get_by_role("radio").first.focus()
        press(desk, "Space")
        for _ in range(10):
            press(desk, "Tab")
            if desk.evaluate("document.activeElement.id") == "next":
                break
        press(desk, "Enter")
    answered(desk, before)


@pytest.mark.parametrize(
    "screen",
    [{"width": 640, "height": 415}, {"width": 320, "height": 568}, {"width": 320, "height": 256}],
    ids=["200-percent", "small-phone", "400-percent"],
)
def test_enlarged_or_small_nothing_is_cut_off_or_hidden(open_page, screen):
    page = open_page(PAGE, viewport=screen, device_scale_factor=2)
    ready(page)
    stocked(page, 3)
    press(page, "3")
    expect(page.locator("#undo button")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    press(page, *FIVE_ANSWERS)
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    for each in page.locator("#answers label, .moves button, .viewer-tools button").all():
        each.scroll_into_view_if_needed()
        box = each.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= screen["width"]
    press(page, "?")
    box = page.locator(".keys-list").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= screen["width"]


def test_a_thumb_reaches_every_answer_also_while_the_galaxy_before_can_be_had_back(open_page):
    page = open_page(PAGE, viewport=PHONE, has_touch=True)
    ready(page)
    stocked(page, 3)
    press(page, "3")
    expect(page.locator("#undo button")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE["height"]


def test_nothing_moves_where_less_motion_is_asked_for(open_page):
    page = open_page(PAGE, reduced_motion="reduce")
    ready(page)
    press(page, "+")
    for selector in ("#galaxy", ".answer", ".button"):
        duration = page.evaluate(
            f"getComputedStyle(document.querySelector('{selector}')).transitionDuration"
        )
        assert set(duration.replace(" ", "").split(",")) == {"0s"}


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_with_everything_open(open_page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(PAGE, color_scheme=scheme, reduced_motion="reduce", viewport=DESKTOP)
    ready(page)
    stocked(page, 4)
    press(page, "3")
    page.locator(".viewer-light summary").click()
    press(page, "?")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_label("Ask before sending").check()
    press(page, "Escape", "3")
    expect(page.locator(QUESTION)).to_have_text("Send these answers?")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_page_is_light(chromium, live_server, sky):
    page = chromium.new_page()
    loaded = weigh(page, live_server.url + PAGE)
    page.close()
    names = [name.rsplit("/", 1)[-1] for name, _ in loaded]
    assert {"classify.js", "lenticular.css", "icons.svg"} <= set(names)
    assert sum(size for _, size in loaded) < MOST_BYTES
