"""The picture is looked at closely, by pointer, by touch and by keyboard."""

import re

import pytest
from playwright.sync_api import expect

from lenticular.subjects.services import add_subject
from tests.browser.desk import QUESTION, answered, press, ready, stocked, subject_of, votes
from tests.browser.gallery import PAGE, _picture, serve

SCALE = "new DOMMatrix(getComputedStyle(document.querySelector('#galaxy')).transform)"


@pytest.fixture
def desk(open_page):
    page = open_page(PAGE)
    ready(page)
    stocked(page, 4)
    return page


def view(page):
    """Return scale and offset of the picture, rounded."""
    found = page.evaluate(f"(m => [Math.hypot(m.a, m.b), m.e, m.f])({SCALE})")
    return [round(each, 2) for each in found]


def filters(page):
    return page.evaluate("document.querySelector('#galaxy').style.filter")


def middle(page):
    box = page.locator(".viewer-frame").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_buttons_and_keys_zoom_turn_invert_and_reset(desk):
    desk.get_by_role("button", name="Zoom in").click()
    assert view(desk) == [1.5, 0, 0]
    press(desk, "+")
    assert view(desk)[0] == 2.25
    press(desk, "-", "r", "i")
    assert view(desk)[0] == 1.5
    expect(desk.get_by_role("button", name="invert")).to_have_attribute("aria-pressed", "true")
    expect(desk.locator("#view-state")).to_have_text(
        "Enlarged to 150 %, turned by 90 degrees. Inverted."
    )
    assert filters(desk) == "invert(1)"
    press(desk, "0")
    assert (view(desk), filters(desk)) == ([1, 0, 0], "none")


def test_the_wheel_zooms_about_the_pointer_and_dragging_moves(desk):
    x, y = middle(desk)
    desk.mouse.move(x + 100, y - 50)
    desk.mouse.wheel(0, -100)
    scale, dx, dy = view(desk)
    assert scale == 1.2
    assert (dx, dy) == pytest.approx((-20, 10), abs=1)
    desk.mouse.down()
    desk.mouse.move(x + 90, y - 45)
    desk.mouse.up()
    assert view(desk)[1:] == pytest.approx([dx - 10, dy + 5], abs=1)
    desk.mouse.move(x, y)
    assert view(desk)[1:] == pytest.approx([dx - 10, dy + 5], abs=1)


def test_a_double_click_looks_closer_there(desk):
    x, y = middle(desk)
    desk.mouse.dblclick(x - 60, y)
    assert view(desk) == pytest.approx([1.5, 30, 0], abs=0.6)


def test_arrow_keys_move_the_enlarged_picture_where_it_has_the_focus(desk):
    press(desk, "+", "+")
    desk.locator(".viewer-frame").focus()
    press(desk, "ArrowRight", "ArrowDown")
    _, dx, dy = view(desk)
    assert dx < 0
    assert dy < 0
    expect(desk.locator("#answers input:checked")).to_have_count(0)


def test_two_fingers_bring_it_nearer(open_page):
    page = open_page(PAGE, viewport={"width": 360, "height": 740}, has_touch=True)
    ready(page)
    x, y = middle(page)
    touch = page.context.new_cdp_session(page)

    def fingers(kind, *places):
        points = [{"x": x + dx, "y": y, "id": place} for place, dx in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -40, 40)
    for spread in (50, 60, 70, 80):
        fingers("touchMove", -spread, spread)
    fingers("touchEnd")
    page.wait_for_timeout(100)
    assert view(page)[0] == pytest.approx(2, abs=0.15)


def test_light_is_set_by_sliders_and_forgotten_at_the_next_galaxy(desk):
    desk.locator(".viewer-light summary").focus()
    press(desk, "Enter")
    desk.get_by_label("Brightness").focus()
    press(desk, "ArrowRight", "ArrowRight")
    desk.get_by_label("Contrast").fill("150")
    assert filters(desk) == "brightness(1.2) contrast(1.5)"
    press(desk, "Escape")
    expect(desk.get_by_label("Contrast")).to_be_hidden()
    expect(desk.locator(".viewer-light summary")).to_be_focused()
    press(desk, "+", "3")
    assert (view(desk), filters(desk)) == ([1, 0, 0], "none")
    desk.locator(".viewer-light summary").click()
    expect(desk.get_by_label("Contrast")).to_have_value("100")


def test_every_tool_is_large_enough(open_page):
    for touch, least in ((False, 24), (True, 44)):
        page = open_page(PAGE, has_touch=touch, is_mobile=touch)
        ready(page)
        for tool in page.locator(".viewer-tools > button, .viewer-tools summary").all():
            box = tool.bounding_box()
            assert min(box["width"], box["height"]) >= least


@pytest.fixture
def two_renderings(sky):
    """Have the volunteer be served a galaxy in two renderings."""
    subject, _ = add_subject(
        survey=sky.subjects[0].survey,
        external_id="in two bands",
        image=_picture(0),
        renderings={"infrared": _picture(2)},
    )
    serve(sky, sky.volunteer, subject, sky.subjects[0])
    return subject


def test_renderings_are_switched_by_buttons_and_keys(open_page, sign_in, sky, two_renderings):
    page = open_page("/")
    sign_in(page, sky.volunteer)
    page.goto(PAGE)
    ready(page)
    first = subject_of(page)
    group = page.get_by_role("group", name="Renderings")
    page.get_by_role("button", name="infrared").click()
    assert subject_of(page) != first
    expect(page.get_by_role("button", name="infrared")).to_have_attribute("aria-pressed", "true")
    press(page, "[", "[")
    assert subject_of(page) == first
    press(page, "]")
    assert subject_of(page) != first
    press(page, "3")
    expect(group).to_be_hidden()
    press(page, "u")
    expect(group).to_be_visible()
    assert subject_of(page) == first


def test_renderings_are_links_without_javascript(open_page, sign_in, sky, two_renderings):
    page = open_page("/", java_script_enabled=False)
    sign_in(page, sky.volunteer)
    page.goto(PAGE)
    page.get_by_role("link", name="infrared").click()
    assert re.search(r"/media/images/.*-full\.jpg$", page.url)


def test_a_picture_that_does_not_arrive_is_tried_again(open_page):
    page = open_page("/")
    page.route("**/media/**", lambda route: route.abort())
    page.goto(PAGE)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    before = votes()
    press(page, "3")
    expect(page.get_by_role("alert")).to_contain_text("did not arrive")
    page.unroute("**/media/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    press(page, "3")
    expect(page.locator("#trouble")).to_be_hidden()
    answered(page, before)


def test_a_galaxy_without_its_picture_can_be_skipped(open_page):
    page = open_page("/")
    broken = []

    def only_the_first_fails(route):
        broken.append(route.request.url.rsplit("-", 1)[0])
        same = broken[0] == broken[-1]
        return route.abort() if same else route.continue_()

    page.route("**/media/**", only_the_first_fails)
    page.goto(PAGE)
    before, first = votes(), subject_of(page)
    page.get_by_role("button", name="Skip this galaxy").click()
    expect(page.locator("#galaxy")).not_to_have_attribute("src", first)
    expect(page.get_by_role("button", name="Skip this galaxy")).to_be_hidden()
    expect(page.locator("#live")).to_contain_text("Skipped")
    expect(page.locator(QUESTION)).to_be_focused()
    press(page, "3")
    answered(page, before)
