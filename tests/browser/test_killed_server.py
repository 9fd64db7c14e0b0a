"""Never lose a click: the network is cut, the server killed, the page reloaded, the tab closed.

The server is a process of its own, so that it can be killed. In the end each galaxy that was
answered is in the log, once.
"""

import pytest
from playwright.sync_api import Error, expect

from tests.browser.desk import KEPT, press, ready, stocked, subject_of, wait_until
from tests.browser.site import PAGE, TUTORIAL_SEEN, Site

STATE = "#outbox-state"
NEXT = "before => document.querySelector('#galaxy').getAttribute('src') !== before"
API = "**/api/v1/**"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site with thirty galaxies, for the whole module: its log grows from test to test."""
    return Site(tmp_path_factory.mktemp("site"), galaxies=30)


@pytest.fixture
def site(built):
    """The site, running."""
    built.start()
    yield built
    built.kill()


@pytest.fixture
def context(chromium, site):
    context = chromium.new_context(base_url=site.url)
    context.add_init_script(TUTORIAL_SEEN)
    context.set_default_timeout(20_000)
    yield context
    context.close()


def classify(page, count, shown):
    """Answer so many galaxies by keyboard, and note them."""
    for _ in range(count):
        shown.append(subject_of(page))
        press(page, "3")
        page.wait_for_function(
            NEXT,
            arg=shown[-1],
        )


def open_(context):
    page = context.new_page()
    page.goto(PAGE)
    ready(page)
    stocked(page)
    return page


def all_arrived(site, page, count):
    wait_until(page, lambda: len(site.log()) >= count, f"{count} votes")


def test_every_click_arrives_once_whatever_happens(site, context):
    shown, before = [], len(site.log())
    page = open_(context)
    classify(page, 2, shown)

    context.set_offline(offline=True)
    classify(page, 3, shown)
    expect(page.get_by_role("alert")).to_contain_text("saved on this device")
    context.set_offline(offline=False)
    page.evaluate("dispatchEvent(new Event('online'))")
    all_arrived(site, page, before + 4)
    page.wait_for_timeout(2000)

    site.kill()
    classify(page, 3, shown)
    expect(page.locator(STATE)).to_contain_text("to send")
    with pytest.raises(Error):
        page.reload()
    page.close()
    site.start()
    page = open_(context)
    expect(page.locator(STATE)).to_have_text("All sent")
    all_arrived(site, page, before + 8)

    classify(page, 1, shown)
    site.kill()
    page.close()
    site.start()
    page = open_(context)
    classify(page, 2, shown)
    page.reload()
    all_arrived(site, page, before + 11)
    expect(page.locator(STATE)).to_have_text("All sent")
    page.wait_for_timeout(1500)
    log = site.log()[before:]
    assert len(shown) == len(set(shown)) == 11
    assert len(log) == len({uuid for uuid, _ in log}) == len({subject for _, subject in log}) == 11
    assert page.evaluate(KEPT) == 0


def test_an_answer_that_the_server_took_with_it_is_not_counted_twice(site, context):
    """The server dies after it has written, before it has answered."""
    before = len(site.log())
    page = open_(context)

    def die(route):
        route.fetch()
        site.kill()
        route.abort()
        context.unroute(API)

    context.route(API, die)
    press(page, "3", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("saved on this device")
    assert len(site.log()) == before + 1
    site.start()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(STATE)).to_have_text("All sent")
    assert len(site.log()) == before + 1
