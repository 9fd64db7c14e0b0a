"""A real browser against a live server: Chromium, driven by Playwright.

With CI=true a missing Chromium fails the tests, elsewhere it skips them.
"""

import os
import shutil
from pathlib import Path

import pytest
from django.core.cache import cache

from tests.browser import gallery
from tests.browser.site import TUTORIAL_SEEN

# A browser that calls nobody but the page under test.
QUIET = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
)
PATIENCE_MS = 20_000
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 830}


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for each in items:
        if here in each.path.parents:
            each.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium():
    """The browser, one for each module: Playwright's loop must not outlive it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("CI must have Chromium, has none on its path")
    if path is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import expect, sync_playwright

    # Playwright's loop runs in this thread; Django's guard would take us for a coroutine.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def sky(request, transactional_db):
    """Drawn galaxies, the tree of Galaxy Zoo DECaLS, and some votes.

    Parametrized indirectly, its parameters are those of `gallery.build`.
    """
    cache.clear()
    return gallery.world(**getattr(request, "param", {}))


@pytest.fixture
def open_page(chromium, live_server, sky):
    """Return a function that opens a page in a browser of its own; a script's error fails.

    With `first_visit`, the browser has not seen the tutorial yet.
    """
    contexts, errors = [], []

    def open_(address="/", *, first_visit=False, **options):
        options = {"viewport": DESKTOP, "color_scheme": "dark", **options}
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        if not first_visit:
            context.add_init_script(TUTORIAL_SEEN)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: _note(errors, message))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


def _note(errors, message):
    """Keep what the page complains of, such as a broken policy; not a network that is cut.

    The live server has no sockets: pages that use them ask again over HTTP.
    """
    expected = ("Failed to load resource", "WebSocket connection")
    if message.type == "error" and not message.text.startswith(expected):
        errors.append(message.text)


@pytest.fixture
def sign_in(live_server):
    """Return a function that signs a page's browser in."""

    def sign_in_(page, user):
        page.goto("/accounts/sign-in/")
        page.get_by_label("Username").fill(user.username)
        page.get_by_label("Password").fill(gallery.PASSWORD)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{live_server.url}/")

    return sign_in_
