"""Every page in each of its states: at three sizes, in both themes, axe finds nothing."""

import itertools
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.urls import path
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from lenticular import urls
from lenticular.rounds import workspace
from lenticular.settings.accounts import ACCOUNT_RATE_LIMITS
from tests.browser import lived_in, looking
from tests.browser.conftest import DESKTOP, _note
from tests.browser.desk import press, ready, stocked
from tests.browser.gallery import PAGE
from tests.browser.site import TUTORIAL_SEEN

pytestmark = pytest.mark.django_db(transaction=True)
Act = Callable[[Page], object]


@dataclass(frozen=True)
class State:
    """A page in one state: who opens which address, and what is done there before it is seen.

    A `name` without a dash is the page itself: it is pictured in docs/reference/pages.md.
    """

    name: str
    address: str
    who: str = ""
    act: Act | None = None
    sees: str = ""
    first_visit: bool = False

    @property
    def is_pictured(self) -> bool:
        """Whether docs show it."""
        return "-" not in self.name


def keys(*pressed: str) -> Act:
    """Classify by keyboard, once the next galaxies are there."""

    def act(page):
        ready(page)
        stocked(page, 3)
        hold_time(page)
        press(page, *pressed)

    return act


def hold_time(page):
    """Have nothing that is on the page vanish by itself."""
    page.evaluate(
        "(wait => { window.setTimeout = (task, ms) => ms > 2000 ? 0 : wait(task, ms) })(setTimeout)"
    )


def click(selector: str) -> Act:
    """Open something."""

    def act(page):
        page.locator(selector).first.click()

    return act


def open_help(page):
    keys("2", "2")(page)
    page.locator("#help summary").click()
    expect(page.locator(".help-answers img").first).to_be_visible()


def open_light(page):
    ready(page)
    page.locator(".viewer-light summary").click()


def ask_before_sending(page):
    keys("?")(page)
    page.get_by_label("Ask before sending").check()
    press(page, "Escape", "3")


def lose_the_network(page):
    keys()(page)
    page.context.set_offline(offline=True)
    press(page, "3", "3")
    expect(page.get_by_role("alert")).to_contain_text("saved on this device")


def lose_the_pictures(page):
    page.route("**/media/**", lambda route: route.abort())
    page.goto(PAGE)


def practise(page):
    keys("1", "1", "1", "Enter")(page)


def fill(button: str, **fields: str) -> Act:
    """Send a form, whose answer is the state."""

    def act(page):
        for label, value in fields.items():
            page.get_by_label(label.replace("_", " ")).first.fill(value)
        page.get_by_role("main").get_by_role("button", name=button).click()

    return act


def lose_the_token(page):
    page.context.clear_cookies()
    fill("Sign in", Username="somebody", Password="something")(page)


def hurry(page):
    fill("Send the link", Mail_address="a@example.org")(page)
    page.goto("/accounts/reset/")
    fill("Send the link", Mail_address="a@example.org")(page)


WRONG = {"Username": "administrator", "Password": "short"}
STATES = [
    State("home", "/"),
    State("about", "/about/"),
    State("classify", PAGE, act=keys("2", "2"), sees="bar"),
    State("classify-first", PAGE, act=ready, sees="smooth, or does it have"),
    State("classify-help", PAGE, act=open_help, sees="What does this mean?"),
    State("classify-undo", PAGE, act=keys("3"), sees="Galaxy done."),
    State("classify-sent", PAGE, act=keys("3", "3"), sees="See it"),
    State("classify-feedback", PAGE, "annie", practise, "Look for the straight bright line"),
    State("classify-settings", PAGE, act=keys("?"), sees="Ask before sending"),
    State("classify-tools", PAGE, act=open_light, sees="Brightness"),
    State("classify-asked", PAGE, act=ask_before_sending, sees="Send these answers?"),
    State("classify-failed", PAGE, act=lose_the_pictures, sees="The picture did not arrive."),
    State("classify-offline", PAGE, act=lose_the_network, sees="saved on this device"),
    State("done", PAGE, "done", sees="You have seen every galaxy"),
    State("classify-tutorial", PAGE, act=ready, sees="You are about to see", first_visit=True),
    State("tutorial", f"{PAGE}tutorial/"),
    State("guide", f"{PAGE}guide/"),
    State("guide-question", f"{PAGE}guide/bar/"),
    State("galaxy", "/galaxies/{hero}/", "volunteer", sees="The bar is faint"),
    State("galaxy-before", "/galaxies/{hero}/", sees="once you have classified it yourself"),
    State("galaxy-expert", "/galaxies/{unseen}/", "expert", sees="90% interval"),
    State(
        "galaxy-collecting", "/galaxies/{hero}/", "volunteer",
        click("main details summary"), "or a new one",
    ),
    State("history", "/history/", "volunteer"),
    State("history-empty", "/history/", "newcomer"),
    State("favourites", "/favourites/", "volunteer"),
    State("favourites-empty", "/favourites/", "newcomer"),
    State("collections", "/collections/", "volunteer", sees="Rings and almost rings"),
    State("collections-empty", "/collections/", "newcomer"),
    State("collection", "/collections/{own}/", "volunteer"),
    State("collection-shared", "/collections/{listed}/", sees="Thin disks."),
    State("collection-empty", "/collections/{empty}/", "volunteer"),
    State("collection-change", "/collections/{own}/change/", "volunteer"),
    State("comment", "/comments/{own_comment}/change/", "volunteer"),
    State("report", "/comments/{comment}/report/", "volunteer"),
    State("moderation", "/moderation/", "expert", sees="A strange address"),
    State("record", "/moderation/record/", "expert", sees="Kind and on topic"),
    State("signin", "/accounts/sign-in/"),
    State(
        "signin-wrong", "/accounts/sign-in/",
        act=fill("Sign in", Username="vera", Password="wrong"),
    ),
    State("signup", "/accounts/sign-up/"),
    State(
        "signup-wrong", "/accounts/sign-up/",
        act=fill("Make the account", **WRONG), sees="looks like a role",
    ),
    State("signout", "/accounts/sign-out/", "vera"),
    State("account", "/accounts/", "vera", sees="Vera Cooper"),
    State("mail", "/accounts/mail/", "vera"),
    State("password", "/accounts/password/", "vera"),
    State("delete", "/accounts/delete/", "vera"),
    State(
        "delete-wrong", "/accounts/delete/", "vera",
        fill("Delete the account", Your_password="wrong"),
    ),
    State("reset", "/accounts/reset/"),
    State("reset-sent", "/accounts/reset/sent/"),
    State("reset-old", "/accounts/reset/1-old/"),
    State("mail-old", "/accounts/mail/old:link/"),
    State("inactive", "/accounts/inactive/"),
    State("rounds", "/rounds/", "admin", sees="Watch round 3"),
    State("round", "/rounds/drawn/1/", "admin"),
    State("round-failed", "/rounds/drawn/2/", "admin", sees="the disk must have 2 GB free"),
    State("round-running", "/rounds/drawn/3/", "admin", sees="epoch 2 of 5"),
    State("review", "/review/", "expert", sees="Wrong labels among all"),
    State("flag", "/review/{flag}/", "expert"),
    State("flag-judged", "/review/{judged}/", "expert", sees="A ring, seen at an angle."),
    State("flag-spot-check", "/review/{spot_check}/", "expert", sees="Drawn at random"),
    State("gold", "/review/gold/drawn/", "expert"),
    State("gold-make", "/review/gold/drawn/{unseen}/", "expert"),
    State("releases", "/releases/"),
    State("releases-make", "/releases/", "astronomer", sees="Title"),
    State("release", "/releases/drawn/1/"),
    State("error-403", "/rounds/", "volunteer"),
    State("error-404", "/nowhere/"),
]  # fmt: skip


@pytest.fixture
def _django_db_helper():
    """Keep pytest-django from emptying the tables after each test: the world is the module's."""


@pytest.fixture(scope="module")
def lived(django_db_setup, django_db_blocker, chromium):
    """The world, for the whole module; its tables are emptied afterwards."""
    import torch

    torch.set_num_threads(1)
    with django_db_blocker.unblock():
        yield lived_in.build()
        call_command("flush", verbosity=0, interactive=False)
    shutil.rmtree(workspace.local_path("rounds"), ignore_errors=True)


@pytest.fixture(scope="module")
def site(lived):
    """The site, for the whole module."""
    server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture
def visit(chromium, lived, site):
    """Return a function that opens a page in a browser of its own; its complaints fail."""
    contexts, complaints = [], []

    def visit_(state):
        context = chromium.new_context(
            base_url=site.url, viewport=DESKTOP, reduced_motion="reduce", color_scheme="dark"
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        if not state.first_visit:
            context.add_init_script(TUTORIAL_SEEN)
        if state.who:
            context.add_cookies([lived_in.session_of(lived.people[state.who], site.url)])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note(complaints, message))
        page.goto(state.address.format(**lived.addresses()))
        return page

    yield visit_
    for context in contexts:
        context.close()
    assert complaints == []


def check(visit, state):
    page = visit(state)
    if state.act is not None:
        state.act(page)
    if state.sees:
        seen = page.get_by_text(state.sees).filter(visible=True)
        expect(seen.first).to_be_visible()
    page.wait_for_load_state("load")
    assert looking.look(page, state.name, keeps=state.is_pictured) == []
    page.set_viewport_size(DESKTOP)
    assert looking.unseen_focus(page) == []


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_page_is_in_order(visit, lived, state):
    lived.prepare()
    check(visit, state)


def test_every_page_is_in_the_docs():
    pictured = {state.name for state in STATES if state.is_pictured}
    text = (Path(settings.ROOT) / "docs" / "reference" / "pages.md").read_text()
    shown = set(re.findall(r"images/pages/(\w+)-(phone|desktop)-(dark|light)\.jpg", text))
    wanted = itertools.product(pictured, ("phone", "desktop"), ("dark", "light"))
    assert shown == set(wanted)


def test_who_hurries_is_asked_to_wait(visit, settings):
    settings.ACCOUNT_RATE_LIMITS = {**ACCOUNT_RATE_LIMITS, "reset_password": "1/h/ip"}
    check(visit, State("error-429", "/accounts/reset/", act=hurry, sees="very often"))


def test_a_form_without_its_token_is_kindly_old(visit):
    check(visit, State("error-csrf", "/accounts/sign-in/", act=lose_the_token, sees="too old"))


def test_an_error_of_ours_is_told(visit, settings):
    def fail(_request):
        raise RuntimeError("a test's own")

    broken = [path("broken/", fail), *urls.urlpatterns]
    settings.ROOT_URLCONF = type("Addresses", (), {"urlpatterns": broken})
    check(visit, State("error-500", "/broken/"))
