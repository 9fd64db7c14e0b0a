"""Coming back, in a browser: history, favourites, collections, comments and moderation."""

import os
from pathlib import Path
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.accounts.services import create_user, volunteer_of
from lenticular.classify.services import record_classification
from lenticular.community import services
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.gallery import PASSWORD, serve

TABLET = {"width": 820, "height": 1180}
SCREENS = {"phone": PHONE, "tablet": TABLET, "desktop": DESKTOP}
ROUND = [("smooth-or-featured", "smooth"), ("how-rounded", "round"), ("merging", "none")]
ATTACK = "<script>alert(1)</script> <b>bold</b>\nhttps://example.org/a?b=1&c=2."


def classify(sky, user, *subjects, path=ROUND):
    serve(sky, user, *subjects)
    for subject in subjects:
        record_classification(
            volunteer=volunteer_of(user=user),
            uuid=uuid4(),
            version_id=sky.workflow.current_version.pk,
            subject_id=subject.pk,
            annotations=path,
        )


@pytest.fixture
def town(sky):
    """The gallery with people in it who have classified, collected and talked."""
    people = [create_user(username=name, password=PASSWORD) for name in ("grace", "vera", "annie")]
    hero, second = sky.subjects[:2]
    for user in (sky.volunteer, *people):
        classify(sky, user, *sky.subjects[:6])
    for subject in sky.subjects[:5]:
        services.set_favourite(
            volunteer=volunteer_of(user=sky.volunteer), subject_id=subject.pk, favourite=True
        )
    own = services.create_collection(
        volunteer=volunteer_of(user=sky.volunteer), name="Rings and almost rings"
    )
    listed = services.create_collection(
        volunteer=volunteer_of(user=people[0]),
        name="W" * 80,
        description="Edges that are too straight.",
        is_listed=True,
    )
    for subject in sky.subjects[:7]:
        for user, collection in ((sky.volunteer, own), (people[0], listed)):
            services.add_to_collection(
                volunteer=volunteer_of(user=user), collection=collection, subject_id=subject.pk
            )
    texts = ("Is that a ring, or two arms that meet?", ATTACK, "@grace: two arms, I think.")
    comments = [
        services.post_comment(author=user, subject_id=hero.pk, text=text)
        for user, text in zip(people, texts, strict=True)
    ]
    services.report_comment(
        comment_id=comments[1].pk, reporter=people[0], reason="spam", note="A strange address"
    )
    own_comment = services.post_comment(
        author=sky.volunteer, subject_id=hero.pk, text="The bar is faint, but it is there."
    )
    sky.comments = (comments[0], own_comment)
    sky.people, sky.hero, sky.second, sky.own, sky.listed = people, hero, second, own, listed
    return sky


def addresses(town):
    return {
        "history": "/history/",
        "favourites": "/favourites/",
        "collections": "/collections/",
        "collection": town.own.get_absolute_url(),
        "change": f"{town.own.get_absolute_url()}change/",
        "galaxy": f"/galaxies/{town.hero.pk}/",
        "report": f"/comments/{town.comments[0].pk}/report/",
        "comment": f"/comments/{town.comments[1].pk}/change/",
    }


def look(page, name):
    """Check with axe and for width, and keep a picture where one is wanted."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    folder = os.environ.get("LENTICULAR_LOOK")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_pages_fit_every_screen(open_page, sign_in, town, scheme):
    page = open_page("/", color_scheme=scheme)
    sign_in(page, town.volunteer)
    for name, address in addresses(town).items():
        page.goto(address)
        for screen, size in SCREENS.items():
            page.set_viewport_size(size)
            look(page, f"{name}-{screen}-{scheme}")
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_moderation_pages_fit_every_screen(open_page, sign_in, town, scheme):
    page = open_page("/", color_scheme=scheme)
    sign_in(page, town.expert)
    for name in ("moderation", "moderation/record"):
        page.goto(f"/{name}/")
        for screen, size in SCREENS.items():
            page.set_viewport_size(size)
            look(page, f"{name.replace('/', '-')}-{screen}-{scheme}")


def test_everything_works_without_javascript(open_page, sign_in, town):
    page = open_page("/", java_script_enabled=False)
    sign_in(page, town.volunteer)
    page.goto(f"/galaxies/{town.subjects[5].pk}/")
    heart = page.get_by_role("button", name="Favourite")
    expect(heart).to_have_attribute("aria-pressed", "false")
    heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.get_by_text("Add to a collection").click()
    page.get_by_label("or a new one").fill("Discs seen from the side")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("Discs seen from the side")
    page.get_by_label("Your comment").fill(ATTACK)
    page.get_by_role("button", name="Post").click()
    expect(page.locator(".typed")).to_contain_text("<script>alert(1)</script>")
    expect(page.get_by_role("link", name="https://example.org/a?b=1&c=2")).to_be_visible()
    page.get_by_role("link", name="My 6 galaxies").click()
    page.get_by_label("Favourites only").check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".history > li")).to_have_count(6)


def test_the_keyboard_reaches_the_heart_and_the_comment(open_page, sign_in, town):
    page = open_page("/")
    sign_in(page, town.volunteer)
    page.goto(f"/galaxies/{town.subjects[5].pk}/")
    heart = page.get_by_role("button", name="Favourite")
    heart.focus()
    page.keyboard.press("Enter")
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.get_by_text("Add to a collection").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("One of mine")).to_be_visible()
    page.get_by_label("Your comment").focus()
    page.keyboard.type("A thin disk")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".typed")).to_have_text("A thin disk")


def test_a_link_is_shared_with_somebody_without_an_account(open_page, town):
    page = open_page(town.listed.get_absolute_url(), viewport=PHONE)
    expect(page.locator(".galaxies > li")).to_have_count(7)
    page.locator(".galaxies a").first.click()
    expect(page.get_by_text("once you have classified it yourself").first).to_be_visible()
    expect(page.get_by_role("heading", name="Comments")).to_have_count(0)
    look(page, "galaxy-stranger")
