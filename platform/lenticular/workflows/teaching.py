"""What a volunteer can learn from: a field guide and a tutorial, read from their JSON.

A reference to an image is ``drawn:NAME`` (one of our own, drawn by
`mlcore.simulate.guide`), ``stored:HASH`` (an operator's, kept by its content), or, in an
operator's file, a path beside that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from lenticular.common.errors import InvalidInputError
from mlcore.tree_parts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlcore.tree import DecisionTree

    Change: TypeAlias = Callable[[str, str], str]

DRAWN, STORED = "drawn:", "stored:"
MOST_IMAGES, MOST_STEPS = 3, 10
_NO_TEXT = Texts({})


@dataclass(frozen=True)
class Entry:
    """What the guide says of one answer.

    Attributes
    ----------
    text
        What it looks like, by language.
    confused
        What it is confused with; may be empty.
    images
        References, at most `MOST_IMAGES`.
    """

    text: Texts
    confused: Texts
    images: tuple[str, ...]


@dataclass(frozen=True)
class FieldGuide:
    """The entries by (question, answer), and a note on the whole, such as a credit."""

    entries: Mapping[tuple[str, str], Entry]
    note: Texts = _NO_TEXT


@dataclass(frozen=True)
class Picture:
    """An image of a tutorial and the words under it."""

    image: str
    caption: Texts


@dataclass(frozen=True)
class TutorialStep:
    """One step: what it is about, what it says, and up to `MOST_IMAGES` pictures."""

    title: Texts
    text: Texts
    pictures: tuple[Picture, ...]


def read_guide(document: Any) -> FieldGuide:
    """Read a guide: ``{"questions": {QUESTION: {ANSWER: ENTRY}}, "note": TEXTS}``.

    An entry is ``{"text", "confused", "images"}``, of which the last two may be left out,
    or ``{"like": "QUESTION/ANSWER"}`` for the same as another.

    Raises
    ------
    InvalidInputError
        Naming the key that is missing, unknown or not as it must be.
    """
    whole = _keys(document, "the guide", {"questions"}, {"note"})
    questions = _mapping(whole["questions"], "questions")
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for question, answers in questions.items():
        for answer, entry in _mapping(answers, f"questions.{question}").items():
            found[question, answer] = _mapping(entry, f"questions.{question}.{answer}")
    entries = {place: _entry(found, place) for place in found}
    note = _texts(whole["note"], "note") if "note" in whole else _NO_TEXT
    return FieldGuide(MappingProxyType(entries), note)


def _entry(found: Mapping[tuple[str, str], Mapping[str, Any]], place: tuple[str, str]) -> Entry:
    where, entry = _where(place), found[place]
    if "like" in entry:
        other = _like(_keys(entry, where, {"like"})["like"], where)
        if other not in found or "like" in found[other]:
            raise InvalidInputError(
                f"{where}.like must name an entry that is written out, is {entry['like']!r}"
            )
        where, entry = _where(other), found[other]
    _keys(entry, where, {"text"}, {"confused", "images"})
    return Entry(
        text=_texts(entry["text"], f"{where}.text"),
        confused=_texts(entry["confused"], f"{where}.confused")
        if "confused" in entry
        else _NO_TEXT,
        images=_images(entry.get("images", []), f"{where}.images"),
    )


def _where(place: tuple[str, str]) -> str:
    return f"questions.{place[0]}.{place[1]}"


def _like(value: Any, where: str) -> tuple[str, str]:
    question, slash, answer = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (question and slash and answer):
        raise InvalidInputError(f"{where}.like must be 'QUESTION/ANSWER', is {value!r}")
    return question, answer


def check_guide(guide: FieldGuide, tree: DecisionTree) -> None:
    """Refuse entries for what `tree` does not ask; answers without an entry are allowed."""
    for question, answer in guide.entries:
        if f"{question}_{answer}" not in tree.label_cols:
            raise InvalidInputError(
                f"questions.{question}.{answer} must be an answer of {tree.slug!r}, is none; "
                f"its answers are {', '.join(tree.label_cols)} (QUESTION_ANSWER)"
            )


def read_tutorial(document: Any) -> tuple[TutorialStep, ...]:
    """Read a tutorial: ``{"steps": [{"title", "text", "images"}]}``, 1 to `MOST_STEPS`.

    Each image is ``{"image", "caption"}``; ``images`` may be left out.

    Raises
    ------
    InvalidInputError
        Naming the key that is missing, unknown or not as it must be.
    """
    steps = _keys(document, "the tutorial", {"steps"})["steps"]
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
        raise InvalidInputError(f"steps must be a list of 1 to {MOST_STEPS}, is {_short(steps)}")
    return tuple(read_step(step, f"steps.{number}") for number, step in enumerate(steps, 1))


def read_step(document: Any, where: str) -> TutorialStep:
    """Read one step of a tutorial; raises InvalidInputError, naming the key."""
    step = _keys(document, where, {"title", "text"}, {"images"})
    images = _list(step.get("images", []), f"{where}.images")
    return TutorialStep(
        title=_texts(step["title"], f"{where}.title"),
        text=_texts(step["text"], f"{where}.text"),
        pictures=tuple(_picture(each, f"{where}.images.{n}") for n, each in enumerate(images, 1)),
    )


def _picture(document: Any, where: str) -> Picture:
    picture = _keys(document, where, {"image", "caption"})
    return Picture(
        image=_image(picture["image"], f"{where}.image"),
        caption=_texts(picture["caption"], f"{where}.caption"),
    )


def with_images(value: Any, change: Change, where: str = "") -> Any:
    """Return a document that has been read, each image's reference changed.

    `change` is given the reference and the key at which it stands.
    """
    if isinstance(value, Mapping):
        return {
            key: change(each, _join(where, key))
            # "image" may be the slug of a question or answer, too.
            if key == "image" and isinstance(each, str)
            else with_images(each, change, _join(where, key))
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [
            change(each, _join(where, number))
            if isinstance(each, str)
            else with_images(each, change, _join(where, number))
            for number, each in enumerate(value, 1)
        ]
    return value


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _keys(
    value: Any, where: str, required: set[str], optional: set[str] | None = None
) -> Mapping[str, Any]:
    known = required | (optional or set())
    found = _mapping(value, where)
    for key in sorted(required - set(found)):
        raise InvalidInputError(f"{where} must have {key!r}, has only {sorted(found)}")
    for key in sorted(set(found) - known):
        raise InvalidInputError(f"{where} must have only the keys {sorted(known)}, has {key!r}")
    return found


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{where} must be a JSON object, is {_short(value)}")
    return value


def _texts(value: Any, where: str) -> Texts:
    texts = _mapping(value, where)
    if not texts:
        raise InvalidInputError(f"{where} must have a text in at least 1 language, has none")
    for language, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise InvalidInputError(f"{where}.{language} must be words, is {_short(text)}")
    return Texts(texts)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_IMAGES:
        raise InvalidInputError(f"{where} must be a list of at most {MOST_IMAGES}, is {value!r}")
    return value


def _images(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_image(each, f"{where}.{n}") for n, each in enumerate(_list(value, where), 1))


def _image(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise InvalidInputError(f"{where} must name an image, is {_short(value)}")
    return value


def _short(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
