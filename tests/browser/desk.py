"""How the tests of the classify page look at it, and at what it left in the log."""

import pytest
from playwright.sync_api import expect

from lenticular.classifications.models import Classification

QUESTION = "#question"
FETCHED = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('jpg')).length"
KEPT = "Object.keys(localStorage).filter((key) => key.startsWith('lenticular.outbox.')).length"
SUBJECT = "JSON.parse(document.querySelector('#page-data').textContent).subject.id"


def votes():
    return Classification.objects.count()


def latest():
    return Classification.objects.latest("id")


def wait_until(page, condition, what):
    """Wait for something in the database, which the page cannot tell of."""
    for _ in range(200):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {what}")


def leave(page):
    """Do as if the page were left: what is held for an undo is sent."""
    page.evaluate("dispatchEvent(new Event('pagehide'))")


def answered(page, before, count=1):
    """Check that just so many votes came."""
    leave(page)
    wait_until(page, lambda: votes() == before + count, f"{before + count} votes, are {votes()}")
    page.wait_for_timeout(100)
    assert votes() == before + count


def subject_of(page):
    return page.get_attribute("#galaxy", "src")


def ready(page):
    expect(page.locator("#progress")).not_to_be_empty()


def stocked(page, pictures=6):
    """Wait until the next galaxies are at hand."""
    wait_until(page, lambda: page.evaluate(FETCHED) >= pictures, "pictures fetched ahead")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
