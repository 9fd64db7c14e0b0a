"""From the last answer to the next galaxy painted, in Chromium, over 200 galaxies.

The server is a process of its own; the network adds 100 ms to every request. A key is pressed
every 150 ms, which is faster than most people think. What is measured is the time from the
press of the last answer's key to the end of the first frame that holds the next galaxy's whole
picture.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

TITLE = "From the last answer to the next galaxy painted (100 ms of network delay)"
ROOT = Path(__file__).parents[2]
GALAXIES, DELAY_MS, KEY_MS, SIDE = 200, 100, 150, 1024
SCREEN = {"width": 1280, "height": 830}
PATHS = {"three": ("1", "1", "1"), "one": ("3",)}
"""Questions a galaxy, and the keys that answer them."""

WATCH = """() => {
  window.times = [];
  let pressed = 0;
  addEventListener("keydown", (event) => { pressed = event.timeStamp; }, { capture: true });
  const painted = (image, then) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    // The message is taken once the frame is on its way.
    port1.onmessage = () => image.complete && image.naturalWidth > 0
      ? then(performance.now()) : painted(image, then);
    port2.postMessage(null);
  });
  new MutationObserver((changes) => {
    const added = changes.flatMap((each) => [...each.addedNodes]);
    const image = added.find((node) => node.id === "galaxy");
    const from = pressed;
    if (image) painted(image, (now) => window.times.push(now - from));
  }).observe(document.querySelector(".viewer-frame"), { childList: true });
}"""


def table() -> list[dict[str, str]]:
    """Classify, and tell how long each next galaxy took."""
    sys.path.insert(0, str(ROOT))
    from playwright.sync_api import sync_playwright

    from tests.browser.site import Site

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        site = Site(home, galaxies=GALAXIES + 10, side=SIDE)
        site.start()
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            rows = [_row(browser, site, name, keys) for name, keys in PATHS.items()]
            browser.close()
        finally:
            site.kill()
    return rows


def _row(browser, site, name: str, keys: tuple[str, ...]) -> dict[str, str]:
    from tests.browser.site import TUTORIAL_SEEN

    before = len(site.log())
    context = browser.new_context(base_url=site.url, viewport=SCREEN)
    context.add_init_script(TUTORIAL_SEEN)
    times = sorted(_classify(context.new_page(), keys))
    context.close()
    return {
        "questions a galaxy": name,
        "galaxies": str(len(times)),
        "median, ms": f"{times[len(times) // 2]:.0f}",
        "95th percentile, ms": f"{times[int(0.95 * len(times))]:.0f}",
        "slowest, ms": f"{times[-1]:.0f}",
        "in the log": str(len(site.log()) - before),
    }


def _classify(page, keys: tuple[str, ...]) -> list[float]:
    from tests.browser.site import PAGE

    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    limits = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    network.send("Network.emulateNetworkConditions", {**limits, "latency": DELAY_MS})
    page.goto(PAGE, wait_until="networkidle")
    page.evaluate(WATCH)
    for _ in range(GALAXIES):
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(KEY_MS)
    page.wait_for_selector("#outbox-state:has-text('All sent')")
    return page.evaluate("window.times")
