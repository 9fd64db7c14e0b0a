"""The translations: whole, and compiled from what is beside them."""

import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings

LOCALES = Path(settings.LOCALE_PATHS[0])
PLACES = re.compile(r"%\(\w+\)s|\{\w+\}|%%")


def entries(path):
    """Read (original, translation) pairs of a catalogue without plurals' second forms."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(
        r'^msgid "(.+)"\n(?:msgid_plural .*\n)?msgstr(?:\[0\])? "(.*)"', text, re.MULTILINE
    )
    return [(each[0].replace('\\"', '"'), each[1].replace('\\"', '"')) for each in found]


@pytest.mark.parametrize("locale", ["zh_Hant", "zh_Hans"])
def test_the_compiled_catalogue_says_what_its_source_says(locale):
    folder = LOCALES / locale / "LC_MESSAGES"
    with (folder / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    pairs = entries(folder / "django.po")
    assert len(pairs) > 100
    for original, translation in pairs:
        assert compiled.ngettext(original, original, 1) == translation or (
            compiled.gettext(original) == translation
        )


@pytest.mark.parametrize("locale", ["zh_Hant", "zh_Hans"])
def test_a_translation_keeps_the_places_of_its_original(locale):
    for original, translation in entries(LOCALES / locale / "LC_MESSAGES" / "django.po"):
        assert sorted(PLACES.findall(translation)) == sorted(PLACES.findall(original))
