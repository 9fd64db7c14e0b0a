"""What a volunteer's browser loads to classify, as production serves it: compressed, hashed.

Everything counts but the pictures of galaxies: the page, styles, modules, icons, and the first
galaxies' addresses. What the proxy compresses in real use is compressed here by gzip.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
from pathlib import Path

TITLE = "The classify page without pictures"
ROOT = Path(__file__).parents[2]
HEADERS = 300
"""Bytes allowed for the headers of a response."""


def table() -> list[dict[str, str]]:
    """Open the page in a browser that knows nothing yet, and weigh what arrives."""
    sys.path.insert(0, str(ROOT))
    from playwright.sync_api import sync_playwright

    from tests.browser.site import PAGE, Site

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        site = Site(home, galaxies=8, settings="tests.browser.compressed")
        site.start()
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page()
            loaded = weigh(page, site.url + PAGE)
            browser.close()
        finally:
            site.kill()
    rows = [{"resource": name, "bytes": f"{size:,}"} for name, size in loaded]
    total = sum(size for _, size in loaded)
    return [*rows, {"resource": "all", "bytes": f"{total:,} ({total / 1024:.1f} KiB)"}]


def weigh(page, address: str) -> list[tuple[str, int]]:
    """Return path and compressed bytes of all that a page loads, galaxies' pictures left out."""
    responses = []
    page.on("response", lambda response: responses.append(response))  # noqa: PLW0108
    page.goto(address, wait_until="networkidle")
    page.wait_for_selector("#progress:not(:empty)")
    kept = [each for each in responses if "/media/" not in each.url and each.url[:4] == "http"]
    return [(_path(each.url), len(gzip.compress(each.body(), 6)) + HEADERS) for each in kept]


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]
