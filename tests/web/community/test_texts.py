"""Names and texts keep every word and nothing that can not be seen."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenticular.community.errors import BadTextError, EmptyTextError, TooLongTextError
from lenticular.community.texts import BLANKS, clean_name, clean_optional, clean_text

TOWER = "e" + "\u0301" * 40


def name(text, limit=80):
    return clean_name(text, what="name", limit=limit)


def words(text, limit=2000):
    return clean_text(text, what="comment", limit=limit)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Rings \t and\nloops ", "Rings and loops"),
        ("<b>Rings</b>", "<b>Rings</b>"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u2066a\u2069b\u200f", "ab"),
        ("ad\u200bmin\ufeff", "admin"),
        ("ad\u200dmin", "admin"),
        ("Ｒｉｎｇｓ", "Rings"),
        ("NUL\x00 and \x1b[31mred", "NUL and [31mred"),
        ("\ud800x", "x"),
        ("\U000e0041tag", "tag"),
        ("環狀星系", "環狀星系"),
    ],
)
def test_a_name_is_one_plain_line(typed, kept):
    assert name(typed) == kept


@pytest.mark.parametrize(
    "nothing", ["", "  \n ", "\u200b\u202e", "\u3164", "\u2800", "\u0301", "\x00"]
)
def test_what_shows_nothing_is_no_name_and_no_comment(nothing):
    with pytest.raises(EmptyTextError):
        name(nothing)
    with pytest.raises(EmptyTextError):
        words(nothing)
    assert clean_optional(nothing.replace("\u0301", ""), what="note", limit=5) == ""


def test_a_tower_of_accents_is_cut_down():
    assert len(name(TOWER)) <= 6
    assert len(words(TOWER)) <= 6


def test_limits_are_exact_and_count_what_is_kept():
    assert name("a" * 80) == "a" * 80
    with pytest.raises(TooLongTextError) as caught:
        name("a" * 81)
    assert caught.value.extra == {"limit": 80, "found": 81}
    assert words("\u200b" * 10 + "a" * 2000) == "a" * 2000


def test_a_comment_keeps_lines_markup_and_joined_letters():
    typed = "<script>x</script>\r\n\r\n می\u200cخواهم  two  spaces\r👩\u200d🚀 "
    kept = "<script>x</script>\n\n می\u200cخواهم  two  spaces\n👩\u200d🚀"
    assert words(typed) == kept


def test_a_comment_is_not_made_into_lookalikes():
    assert words("m² at 5 µm") == "m² at 5 µm"


@given(st.text())
def test_whatever_is_typed_a_name_holds_nothing_unseen_and_cleaning_again_changes_nothing(text):
    try:
        kept = name(text, limit=10**6)
    except BadTextError:
        return
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not any(unicodedata.category(each) in unseen or each in BLANKS for each in kept)
    assert kept == name(kept, limit=10**6)
    assert kept.strip() == kept


@given(st.text())
def test_cleaning_a_comment_twice_is_cleaning_it_once(text):
    try:
        kept = words(text, limit=10**6)
    except BadTextError:
        return
    assert words(kept, limit=10**6) == kept
