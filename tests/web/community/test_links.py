"""Comments print as they were typed; their addresses can be clicked, and nothing else can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenticular.community.templatetags.community import with_links

REL = 'rel="nofollow noreferrer ugc"'


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("see https://example.org/a?b=1&c=2.", "https://example.org/a?b=1&amp;c=2"),
        ("(http://example.org)", "http://example.org"),
        ("https://example.org，好", "https://example.org"),
        ("HTTPS://EXAMPLE.ORG/x", "HTTPS://EXAMPLE.ORG/x"),
    ],
)
def test_addresses_become_links(typed, address):
    assert f'<a href="{address}" {REL}>{address}</a>' in with_links(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.org",
        "xhttp://example.org",
        "ftp://example.org",
        "https://",
        "@grace",
        "a@example.org",
    ],
)
def test_nothing_else_becomes_a_link(typed):
    assert "<a" not in with_links(typed)


def test_markup_is_shown_as_typed():
    typed = '<img src=x onerror=alert(1)> "quoted" https://e.org/"onmouseover=x'
    printed = with_links(typed)
    assert "<img" not in printed
    assert "&lt;img src=x onerror=alert(1)&gt;" in printed
    assert '<a href="https://e.org/" ' in printed


@given(st.text(alphabet="htps:/.<>\"'& \nab)", max_size=60).map(lambda text: f"http://a{text}"))
def test_no_text_breaks_out_of_its_link(text):
    printed = with_links(text)
    outside = printed.replace(f" {REL}", "").replace("</a>", "").replace('<a href="', "[")
    assert "<" not in outside
    assert outside.count('"') == outside.count("[")
