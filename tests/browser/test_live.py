"""The home page is live over a real socket: the site as it is run, not the tests' server."""

import pytest
from playwright.sync_api import expect

from tests.browser.desk import leave, press, ready, wait_until
from tests.browser.site import PAGE, TUTORIAL_SEEN, Site


@pytest.fixture
def site(tmp_path):
    """The site with a few galaxies, running."""
    site = Site(tmp_path, galaxies=4, side=212)
    site.start()
    yield site
    site.kill()


@pytest.fixture
def context(chromium, site):
    context = chromium.new_context(base_url=site.url)
    context.set_default_timeout(20_000)
    context.add_init_script(TUTORIAL_SEEN)
    yield context
    context.close()


def test_the_counter_moves_over_a_socket_without_a_reload(site, context):
    home, sockets, complaints = context.new_page(), [], []
    home.on("websocket", lambda socket: sockets.append(socket.url))
    home.on("console", lambda message: complaints.append(message.text))
    home.route("**/live/", lambda route: route.abort())
    home.goto("/")
    count = home.locator('[data-count="classifications"]')
    expect(count).to_have_text("0")
    home.evaluate("window.isTheSame = true")

    desk = context.new_page()
    desk.goto(PAGE)
    ready(desk)
    press(desk, "3")
    leave(desk)

    wait_until(home, lambda: len(site.log()) == 1, "the vote in the log")
    expect(count).to_have_text("1")
    assert home.evaluate("window.isTheSame")
    assert sockets == [f"{site.url.replace('http', 'ws')}/ws/home/"]
    assert complaints == []
