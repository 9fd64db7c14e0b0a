"""Nothing is left in English only: catalogues, templates, trees and what teaches them."""

import ast
import gettext
import json
import re
from pathlib import Path

import pytest
from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.template.base import Lexer, TokenType
from django.utils.translation.template import templatize

from lenticular.accounts import borrowed
from lenticular.accounts.adapter import AccountAdapter

ROOT = Path(__file__).parents[2]
LOCALES = Path(settings.LOCALE_PATHS[0])
TEMPLATES = sorted((ROOT / "frontend" / "templates").rglob("*.*"))
MODULES = sorted((ROOT / "platform").rglob("*.py"))
FIXTURES = sorted((ROOT / "fixtures").rglob("*.json"))
CHINESE = ("zh_Hant", "zh_Hans")
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
IN_TEMPLATE = re.compile(r"""gettext\(\s*u?((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))""")
PLACES = re.compile(r"%\(\w+\)s|%[ds%]|\{\w+\}|</?\w[^>]*>")
SPOKEN = ("text", "help", "title", "caption", "confused", "note")
NAMES = {"Lenticular", "Legacy Surveys", "SIMBAD", "NED", "Enter", "classifying"}
"""Text of templates that is the same in every language; `classifying` is a class."""
HEARD = re.compile(r'\s(?:alt|aria-\w*label|content|placeholder|title)="([^"]*)"')


def folder(locale):
    return LOCALES / locale / "LC_MESSAGES"


def compiled(locale):
    """Return the translations by original, as they are served: fuzzy ones are not."""
    with (folder(locale) / "django.mo").open("rb") as file:
        found = gettext.GNUTranslations(file)._catalog
    return {key[0] if isinstance(key, tuple) else key: words for key, words in found.items() if key}


def in_python(text):
    """Return the strings that a module marks for translation."""
    return {
        call.args[0].value
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in CALLS
        and isinstance(call.args[0], ast.Constant)
    }


def in_template(text):
    """Return the strings that a template marks for translation."""
    return {ast.literal_eval(found) for found in IN_TEMPLATE.findall(templatize(text))}


def unmarked(text):
    """Return the words that a template shows or has read aloud outside translation tags."""
    parts, is_marked = [], False
    for token in Lexer(text).tokenize():
        name = token.contents.split()[0] if token.token_type is TokenType.BLOCK else ""
        if name in ("blocktranslate", "endblocktranslate"):
            is_marked = name == "blocktranslate"
        if token.token_type is TokenType.TEXT:
            parts.append("" if is_marked else token.contents)
        else:
            parts.append("\0")
    html = re.sub(r"<pre>.*?</pre>", "", "".join(parts), flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>", "\0", html).split("\0")
    heard = [piece for found in HEARD.findall(html) for piece in found.split("\0")]
    return {
        piece.strip(" ·:\n")
        for piece in [*shown, *heard]
        if re.search(r"[^\W\d_]{2}", piece) and not piece.startswith(("width=", "#"))
    }


def marked():
    """Return every string that is marked for translation anywhere."""
    found = [in_python(path.read_text(encoding="utf-8")) for path in MODULES]
    found += [in_template(path.read_text(encoding="utf-8")) for path in TEMPLATES]
    return set().union(*found)


def spoken(value, name=""):
    """Yield every text by language of a fixture, with the name of its member."""
    if isinstance(value, dict):
        if "en" in value or (name in SPOKEN and "text" not in value):
            yield name, value
        for key, each in value.items():
            yield from spoken(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from spoken(each)
    elif name in SPOKEN:
        yield name, value


class TestTheChecks:
    def test_strings_of_python_are_found(self):
        text = 'a = _("One" " line")\nb = ngettext("%(n)s cat", "%(n)s cats", n)\nc = print("no")'
        assert in_python(text) == {"One line", "%(n)s cat"}

    def test_strings_of_templates_are_found(self):
        text = """{% translate "It's" %}
{% blocktranslate count n=n with a=b %}{{ n }} cat of {{ a }}
{% plural %}{{ n }} cats{% endblocktranslate %}{% translate name %}"""
        assert in_template(text) == {"It's", "%(n)s cat of %(a)s\n"}

    def test_unmarked_words_of_templates_are_found(self):
        text = """<p class="small">Hello, {{ name }} and</p>{% translate "all" %}
<img alt="A galaxy"><b>1–9</b>{% blocktranslate %}fine{% endblocktranslate %}"""
        assert unmarked(text) == {"Hello,", "and", "A galaxy"}


@pytest.mark.parametrize("locale", CHINESE)
class TestCatalogues:
    def test_every_marked_string_is_translated(self, locale):
        found = marked()
        assert len(found) > 600
        assert {each for each in found if not compiled(locale).get(each)} == set()

    def test_nothing_is_fuzzy_or_empty_in_the_source(self, locale):
        text = (folder(locale) / "django.po").read_text(encoding="utf-8")
        assert not re.search(r"^#,.*fuzzy", text, re.MULTILINE)
        assert not re.search(r'^msgstr(\[0\])? ""\n(?!")', text, re.MULTILINE)

    def test_the_compiled_catalogue_is_made_of_the_source(self, locale):
        text = (folder(locale) / "django.po").read_text(encoding="utf-8")
        entries = re.findall(
            r'^msgid (".+")\n(?:msgid_plural .*\n)?msgstr(?:\[0\])? (".+")', text, re.MULTILINE
        )
        source = {ast.literal_eval(words): ast.literal_eval(said) for words, said in entries}
        assert source == compiled(locale)

    def test_a_translation_keeps_the_places_and_the_markup(self, locale):
        different = {
            original
            for original, words in compiled(locale).items()
            if sorted(PLACES.findall(original)) != sorted(PLACES.findall(words))
        }
        assert different == set()

    def test_a_translation_is_chinese(self, locale):
        latin = {words for words in compiled(locale).values() if words.isascii()}
        assert latin == {"API", "Lenticular"}


def test_the_two_kinds_of_chinese_are_not_each_other_s_conversion():
    traditional, simplified = (compiled(locale) for locale in CHINESE)
    assert set(traditional) == set(simplified)
    assert (traditional["Comment"], simplified["Comment"]) == ("留言", "评论")
    only = "網帳號資訊檔設為這個說對錯與"
    assert [each for each in simplified.values() if set(each) & set(only)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_shows_no_word_outside_a_translation(path):
    assert unmarked(path.read_text(encoding="utf-8")) <= NAMES


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_trees_guides_and_tutorials_speak_every_language(path):
    texts = list(spoken(json.loads(path.read_text(encoding="utf-8"))))
    assert texts
    languages = [code for code, _ in settings.LANGUAGES]
    silent = [
        (name, text)
        for name, text in texts
        if not (isinstance(text, dict) and all(text.get(code, "").strip() for code in languages))
    ]
    assert silent == []


def test_what_allauth_says_here_is_ours_or_is_borrowed():
    theirs = {
        key: str(words)
        for key, words in AccountAdapter.error_messages.items()
        if "phone" not in key and "code" not in key and "select" not in key
    }
    known = set(compiled("zh_Hant")) | set(borrowed.SENTENCES)
    unused = {"unknown_email", "username_blacklisted"}
    assert {key for key, words in theirs.items() if words not in known} <= unused
    assert set(borrowed.SENTENCES) - {"You must type the same password each time."} <= {
        str(words) for words in DefaultAccountAdapter.error_messages.values()
    }
