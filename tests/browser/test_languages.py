"""The site in each of its languages: on the smallest phone, and a whole galaxy in Chinese."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lenticular.community.services import post_comment
from tests.browser.conftest import PHONE
from tests.browser.desk import QUESTION, ready, votes
from tests.browser.gallery import PAGE, serve

LANGUAGES = {"en": "en", "zh-Hant": "zh-TW", "zh-Hans": "zh-CN"}
WALK = {
    "這個星系是平滑的，還是有特徵或盤面？": "平滑",
    "它有多圓？": "完全圓形",
    "這個星系正在併合，或受到擾動嗎？": "都沒有",
}
DOUBLE_CLICK_MS = 300
"""For so long the page takes a click for the second of a double click."""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT = """() => [...document.querySelectorAll("h1, h2, a, button, label, summary, .badge")]
  .filter((each) => each.checkVisibility() && !each.closest(".visually-hidden, .skip-link"))
  .filter((each) => !each.closest(".table-scroll, .site-nav"))
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.outerHTML.slice(0, 120))"""


def signed_in(page, user):
    """Sign in by the form's names, which no language changes."""
    page.goto("/accounts/sign-in/")
    page.locator("main [name=username]").fill(user.username)
    page.locator("main [name=password]").fill("a-galaxy-of-words")
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_url("**/")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_fits_a_phone_in_every_language(open_page, sky, language):
    post_comment(author=sky.admin, subject_id=sky.subjects[0].pk, text="Arms. 旋臂。")
    page = open_page("/", viewport=PHONE, has_touch=True, locale=LANGUAGES[language])
    addresses = ["/", PAGE, "/accounts/sign-up/"]
    mine = [f"/galaxies/{sky.subjects[0].pk}/", "/accounts/", "/accounts/mail/", "/history/",
            "/collections/", "/rounds/", "/review/", "/moderation/", "/releases/"]  # fmt: skip
    for address in [*addresses, None, *mine]:
        if address is None:
            signed_in(page, sky.admin)
            continue
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", language)
        assert (address, page.evaluate(WIDER)) == (address, 0)
        assert (address, page.evaluate(CUT)) == (address, [])


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
@pytest.mark.parametrize("address", ["/", PAGE, "/accounts/sign-in/"])
def test_axe_finds_nothing_in_chinese(open_page, language, address):
    page = open_page(address, locale=LANGUAGES[language], viewport=PHONE)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_whole_galaxy_is_classified_in_traditional_chinese(open_page, sky):
    page = open_page("/", viewport=PHONE, has_touch=True, locale="zh-TW")
    signed_in(page, sky.volunteer)
    serve(sky, sky.volunteer, sky.subjects[0])
    before = votes()
    page.goto(PAGE)
    ready(page)
    for question, answer in WALK.items():
        expect(page.locator(QUESTION)).to_have_text(question)
        page.wait_for_timeout(DOUBLE_CLICK_MS)
        page.get_by_role("radio", name=answer, exact=True).click()
    expect(page.locator("#live")).to_contain_text("這個星系完成了。")
    expect(page.locator("#outbox-state")).to_have_text("全部已送出")
    expect(page.locator("#echo-text")).to_contain_text("「平滑」")
    assert votes() == before + 1


def test_the_language_is_changed_without_losing_the_place(open_page, sky):
    page = open_page("/collections/?page=1")
    for name, code in (("繁體中文", "zh-Hant"), ("简体中文", "zh-Hans"), ("English", "en")):
        page.locator(".site-tools .menu summary").click()
        page.get_by_role("button", name=name).click()
        expect(page.locator("html")).to_have_attribute("lang", code)
        assert page.url.endswith("/collections/?page=1")
