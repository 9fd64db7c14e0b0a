"""Accounts in a real browser: every page fits, passes axe, and works without JavaScript."""

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from playwright.sync_api import expect

from lenticular.accounts.models import Session, User
from lenticular.accounts.services import change_display_name
from lenticular.classifications.models import Classification
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.gallery import PAGE, PASSWORD

TABLET = {"width": 820, "height": 1180}
SIGNED_OUT = (
    "sign-in",
    "sign-up",
    "reset",
    "reset/sent",
    "reset/1-old",
    "mail/old:link",
    "inactive",
)
SIGNED_IN = ("", "mail", "password", "delete", "sign-out")


def keep(page, name):
    """Check with axe, and keep a picture where one is wanted."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    folder = os.environ.get("LENTICULAR_ACCOUNT_PICTURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name.replace('/', '-')}-{width}.png", full_page=True)


def visit_all(page, addresses, scheme):
    for address in addresses:
        for size in (PHONE, TABLET, DESKTOP, {"width": 320, "height": 640}):
            page.set_viewport_size(size)
            page.goto(f"/accounts/{address}{'/' if address else ''}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            keep(page, f"{address or 'account'}-{scheme}")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_pages_before_signing_in(open_page, scheme):
    page = open_page("/", color_scheme=scheme, reduced_motion="reduce")

    visit_all(page, SIGNED_OUT, scheme)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_pages_of_the_account(open_page, sign_in, sky, scheme):
    User.objects.filter(pk=sky.volunteer.pk).update(email="vera.rubin@example.org")
    change_display_name(user=sky.volunteer, display_name="Vera Florence Cooper Rubin")
    page = open_page("/", color_scheme=scheme, reduced_motion="reduce")
    sign_in(page, sky.volunteer)

    visit_all(page, SIGNED_IN, scheme)


def test_a_form_that_is_wrong_says_so_to_everyone(open_page):
    page = open_page("/accounts/sign-up/", viewport=PHONE)
    page.get_by_label("Username").fill("administrator")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Make the account").click()

    expect(page.get_by_text("looks like a role")).to_be_visible()
    expect(page.get_by_label("Username")).to_have_attribute("aria-invalid", "true")
    keep(page, "sign-up-wrong")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_life_of_an_account(open_page, sky, scripts):
    page = open_page(PAGE, java_script_enabled=scripts)
    page.goto("/accounts/sign-up/")
    page.get_by_label("Username").fill("newcomer")
    page.get_by_label("Mail address").fill("new@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("banner").get_by_role("link", name="newcomer").click()

    page.get_by_label("Display name").fill("Nova <b>")
    page.keyboard.press("Enter")
    expect(page.get_by_text("< is not")).to_be_visible()
    page.get_by_label("Display name").fill("Nova Stella")
    page.keyboard.press("Enter")
    expect(page.get_by_role("banner").get_by_role("link", name="Nova Stella")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert '"Nova Stella"' in Path(download.value.path()).read_text()

    page.get_by_role("link", name="Delete the account").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete the account").click()
    expect(page.get_by_role("status")).to_contain_text("Your account is deleted")
    assert not User.objects.filter(username="newcomer").exists()


def test_a_forgotten_password(open_page, sky, settings):
    User.objects.filter(pk=sky.volunteer.pk).update(email="vera@example.org")
    page = open_page("/accounts/sign-in/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Mail address").fill("vera@example.org")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

    page.goto(re.search(r"https?://\S+", mail.outbox[-1].body)[0])
    page.get_by_label("New password").fill("quite-another-galaxy")
    page.get_by_label("The same once more").fill("quite-another-galaxy")
    keep(page, "new-password")
    page.get_by_role("button", name="Save and sign in").click()
    expect(page.get_by_role("status")).to_contain_text("Your new password is saved")
    keep(page, "after-reset")


def test_on_a_phone_the_account_is_one_tap_away(open_page, sign_in, sky):
    page = open_page("/", viewport=PHONE, has_touch=True)
    sign_in(page, sky.volunteer)
    page.goto(PAGE)
    assert page.evaluate("document.documentElement.scrollHeight") <= PHONE["height"]

    page.get_by_role("link", name="Account").click()

    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button", name="Sign out")).to_be_visible()


def test_answers_wait_on_the_device_until_one_has_signed_in_again(open_page, sign_in, sky):
    page = open_page("/")
    sign_in(page, sky.volunteer)
    page.goto(PAGE)
    expect(page.locator("#progress")).not_to_be_empty()
    before = Classification.objects.count()
    Session.objects.all().delete()
    page.keyboard.press("3")
    expect(page.get_by_role("alert")).to_contain_text("saved on this device")

    page.reload()
    expect(page.get_by_role("status")).to_contain_text("You have been signed out")
    keep(page, "signed-out")
    page.get_by_label("Username").fill(sky.volunteer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()

    expect(page.locator("#outbox-state")).to_have_text("All sent")
    assert Classification.objects.count() == before + 1
    assert Classification.objects.latest("id").volunteer.user == sky.volunteer
