"""The one stylesheet: small, loaded once, and with nothing in it that no page uses."""

import re
from pathlib import Path

import pytest
from django.conf import settings

FRONTEND = Path(settings.ROOT) / "frontend"
SHEET = FRONTEND / "static" / "frontend" / "css" / "lenticular.css"
MOST_BYTES = 25 * 1024
FROM_DJANGO = {"errorlist"}


def test_there_is_one_stylesheet_and_it_is_small():
    assert list((FRONTEND / "static").rglob("*.css")) == [SHEET]
    assert SHEET.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("address", ["/", "/classify/shapes/", "/classify/shapes/guide/"])
def test_a_page_loads_it_once_and_no_other(client, quiet_universe, address):
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', client.get(address).text)
    assert [sheet.rpartition("/")[2] for sheet in sheets] == ["lenticular.css"]


def test_every_class_in_it_is_used():
    selectors = re.sub(r"/\*.*?\*/|[\w-]+:[^;{}]*;", "", SHEET.read_text(), flags=re.DOTALL)
    classes = set(re.findall(r"\.([a-z][\w-]*)", selectors))
    assert len(classes) > 100
    sources = [
        *(FRONTEND / "templates").rglob("*.html"),
        *(FRONTEND / "static" / "frontend").glob("*.js"),
        *(Path(settings.ROOT) / "platform" / "lenticular").rglob("*.py"),
    ]
    words = set(re.findall(r"[\w-]+", "\n".join(path.read_text() for path in sources)))
    states = {f"notice-{state}" for state in ("good", "warn", "bad")}
    assert classes - words - states == FROM_DJANGO
