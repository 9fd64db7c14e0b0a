"""What people may call themselves before others: cleaned, and told apart.

Two names are the same to a reader when their keys are: case, accents, spaces and letters
of other alphabets that look alike make no difference (after Unicode Technical Standard
39, "Unicode Security Mechanisms"; the table of look-alikes is short and our own).
"""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

from lenticular.common.errors import InvalidInputError

SHORTEST, LONGEST = 2, 40
MARKS_IN_A_ROW = 3
PUNCTUATION = frozenset(" .-_'’·・")
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Letters and marks, to Unicode, that show nothing."""

ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
"""Alphabets whose letters look alike: a name uses one of them."""

LOOK_ALIKES = str.maketrans(
    "авгеікмнорстухѕјԁԛԝһӏґαβγεζηικμνορτυχօոսհ10lıɑɡ",
    "abreikmhopctyxsjdqwhirabyezhikmvoptuxonuhioiiag",
)
ROLE_WORDS = frozenset({"admin", "administrator", "moderator", "staff", "official", "lenticular"})
"""Not in any name."""

ROLES = ROLE_WORDS | frozenset(
    {"mod", "team", "support", "system", "root", "superuser", "owner", "expert", "astronomer"}
    | {"volunteer", "machine", "anonymous", "nobody", "deleted", "管理員", "管理员", "版主"}
    | {"站長", "站长", "專家", "专家", "官方", "客服", "系統", "系统", "匿名"}
)
"""Not as a whole name."""


class BadNameError(InvalidInputError):
    """The name can not be shown to others."""

    kind = "bad-name"


def clean_name(text: str) -> str:
    """Return the name as it is shown: composed (NFKC), with single spaces; "" for no name.

    Raises
    ------
    BadNameError
        For a name that is too short or long, has characters that can not be seen or are
        not of a name, mixes alphabets that look alike, or looks like a role.
    """
    name = re.sub(" +", " ", unicodedata.normalize("NFKC", text)).strip(" ")
    if not name:
        return ""
    if not SHORTEST <= len(name) <= LONGEST:
        raise BadNameError(
            _("A name has %(least)d to %(most)d characters; this one has %(count)d.")
            % {"least": SHORTEST, "most": LONGEST, "count": len(name)}
        )
    _refuse_characters(name)
    refuse_looks(name)
    return name


def _refuse_characters(name: str) -> None:
    if UNSEEN.search(name) or any(unicodedata.category(each) in {"Cc", "Cf"} for each in name):
        raise BadNameError(_("The name has a character that can not be seen. Please type it anew."))
    strange = [each for each in name if each not in PUNCTUATION and not _is_of_a_word(each)]
    if strange:
        raise BadNameError(
            _("Names are made of letters, digits, spaces and . - _ ' only; %(character)s is not.")
            % {"character": strange[0]}
        )


def _is_of_a_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM" or character.isdigit()


def refuse_looks(name: str) -> None:
    """Raise BadNameError for what readers could take for something else."""
    if not any(each.isalpha() for each in name):
        raise BadNameError(_("A name needs at least one letter."))
    if _marks_in_a_row(name) > MARKS_IN_A_ROW:
        raise BadNameError(_("The name has too many marks over one letter."))
    if len(_alphabets(name)) > 1:
        raise BadNameError(_("Please write the name in one alphabet."))
    if looks_like_a_role(name):
        raise BadNameError(_("This name looks like a role on this site. Please choose another."))


def _marks_in_a_row(name: str) -> int:
    kinds = "".join(unicodedata.category(each)[0] for each in unicodedata.normalize("NFD", name))
    return max(map(len, re.findall("M+", kinds)), default=0)


def _alphabets(name: str) -> set[str]:
    """Return the alphabets of the name among those that look alike."""
    return {unicodedata.name(each, "?").split()[0] for each in name} & ALPHABETS


def looks_like_a_role(name: str) -> bool:
    """Tell whether readers may take the name for a role of this site, numbered or not."""
    words = re.split(r"[\W_]+", name)
    whole = {name_key(name), name_key(name.rstrip("0123456789 .-_"))}
    return bool(whole & _keys(ROLES) or {name_key(each) for each in words} & _keys(ROLE_WORDS))


def _keys(names: frozenset[str]) -> set[str]:
    return {name_key(each) for each in names}


def name_key(name: str) -> str:
    """Return what two names that look alike have in common; "" for no name."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
    bare = re.sub("[\u0300-\u036f]", "", folded)
    letters = "".join(each for each in bare if _is_of_a_word(each))
    alike = letters.translate(LOOK_ALIKES).replace("rn", "m").replace("vv", "w")
    return unicodedata.normalize("NFC", alike)[:255]
