"""Nobody waits between two galaxies: the next five are decoded before they are wanted."""

from playwright.sync_api import expect

from tests.browser.desk import press, ready, subject_of, wait_until
from tests.browser.gallery import PAGE

COUNT_DECODED = """
window.decoded = 0;
const decode = HTMLImageElement.prototype.decode;
HTMLImageElement.prototype.decode = function () {
  const done = decode.call(this);
  done.then(() => { window.decoded += 1; }, () => {});
  return done;
};"""
IS_DRAWN = "(each => each.complete && each.naturalWidth > 0)(document.querySelector('#galaxy'))"


def test_the_next_five_galaxies_are_decoded_before_they_are_wanted(open_page):
    page = open_page("/about/")
    page.add_init_script(COUNT_DECODED)
    page.goto(PAGE)
    ready(page)
    wait_until(page, lambda: page.evaluate("window.decoded") >= 5, "five pictures decoded")
    page.context.set_offline(offline=True)
    shown = [subject_of(page)]
    for _ in range(5):
        press(page, "3")
        shown.append(subject_of(page))
        assert page.evaluate(IS_DRAWN)
    assert len(set(shown)) == 6
    expect(page.locator("#failed")).to_be_hidden()
