"""What is asked of every page, in every state, at every size and in both themes."""

import os
from io import BytesIO
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from PIL import Image

from tests.browser.conftest import DESKTOP, PHONE

SIZES = ({"width": 320, "height": 640}, {"width": 820, "height": 1180}, DESKTOP)
SCHEMES = ("light", "dark")
AXE = """rules => axe.run({resultTypes: ['violations'], ...rules}).then(({violations}) =>
    violations.flatMap(({id, nodes}) => nodes.map(({target, any}) =>
        `${id}: ${target} ${any.map(({message}) => message)}`)))"""
CONTRAST = {"runOnly": ["color-contrast"]}
"""All that may differ between the themes."""
ORDER = """() => ({
    h1: [...document.querySelectorAll('h1')].filter((each) => each.checkVisibility()).length,
    main: document.querySelectorAll('main').length,
    title: document.title,
    language: document.documentElement.lang,
})"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNSEEN = """() => {
    const can = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    const drawn = (each) => {
        const style = getComputedStyle(each);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    };
    return [...document.querySelectorAll(can)].filter((each) => {
        if (each.disabled || each.tabIndex < 0) return false;
        if (!each.checkVisibility({visibilityProperty: true})) return false;
        each.focus();
        return document.activeElement === each && !drawn(each) && !drawn(each.parentElement);
    }).map((each) => each.outerHTML.slice(0, 120));
}"""
QUALITY = 45
KEPT_WIDTH = {"phone": 360, "desktop": 960}


def look(page, name, *, keeps):
    """Return what is wrong with the page, and keep pictures where some are wanted."""
    page.evaluate(AXE_SCRIPT)
    found = _order(page)
    for size in SIZES:
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            where = f"{size['width']} {scheme}"
            rules = {} if scheme == "dark" else CONTRAST
            found += [f"{where}: {each}" for each in page.evaluate(AXE, rules)]
        sideways = page.evaluate(SIDEWAYS)
        if sideways > 0:
            found.append(f"{size['width']}: {sideways} px too wide")
    if keeps:
        _keep(page, name)
    return found


def unseen_focus(page):
    """Return what has the focus without showing it."""
    page.keyboard.press("Tab")
    return page.evaluate(UNSEEN)


def _order(page):
    order = page.evaluate(ORDER)
    problems = [] if order["h1"] == 1 else [f"{order['h1']} headings of the first level"]
    problems += [] if order["main"] == 1 else [f"{order['main']} main landmarks"]
    problems += [] if "Lenticular" in order["title"] else [f"titled {order['title']!r}"]
    return problems if order["language"] == "en" else [*problems, f"in {order['language']!r}"]


def _keep(page, name):
    folder = os.environ.get("LENTICULAR_SCREENSHOTS")
    if not folder:
        return
    page.mouse.move(0, 0)
    for screen, size in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(100)
            path = Path(folder) / "pages" / f"{name}-{screen}-{scheme}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
            shot.thumbnail((KEPT_WIDTH[screen], size["height"]))
            shot.save(path, quality=QUALITY, optimize=True, progressive=True)
