"""The parts of a decision tree: texts, answers, questions, and the rules they must keep."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mlcore.errors import AnnotationError, TreeError

Step: TypeAlias = tuple[str, str]

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Zoobot derives `<question>_total-votes`; an answer of that name would clash with it.
_RESERVED_ANSWERS = frozenset({"total-votes"})

_TREE_KEYS = {"slug": str, "name": str, "start": str, "questions": list, "mirror_pairs": list}
_QUESTION_KEYS = {"slug": str, "text": Mapping, "help": Mapping, "answers": list}
_ANSWER_KEYS = {"slug": str, "text": Mapping, "next": str, "icon": str, "artifact": bool}
_OPTIONAL = frozenset({"help", "icon", "next", "artifact", "mirror_pairs"})


class Texts(Mapping[str, str]):
    """One text in several languages; immutable, hashable and picklable.

    Parameters
    ----------
    texts
        Language code (``en``, ``zh-hant``) to text.
    """

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {language.lower(): text for language, text in texts.items()}

    def __getitem__(self, language: str) -> str:
        return self._texts[language]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __hash__(self) -> int:
        return hash(frozenset(self._texts.items()))

    def __repr__(self) -> str:
        return f"Texts({self._texts!r})"

    def best(self, language: str) -> str:
        """Return the text in `language`, else its base language, else English, else the first.

        Empty texts give an empty string.
        """
        code = language.lower()
        for candidate in (code, code.split("-", maxsplit=1)[0], "en"):
            if candidate in self._texts:
                return self._texts[candidate]
        return next(iter(self._texts.values()), "")


@dataclass(frozen=True)
class Answer:
    """One answer to a question.

    Parameters
    ----------
    slug
        Lower-case name, unique within its question.
    texts
        What the volunteer reads, by language.
    next
        Slug of the question that follows; None where the path ends.
    icon
        Name of the picture beside the answer; empty for none.
    artifact
        Whether this answer says that there is no galaxy to classify.
    """

    slug: str
    texts: Mapping[str, str]
    next: str | None = None
    icon: str = ""
    artifact: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", Texts(self.texts))

    def text(self, language: str = "en") -> str:
        """Return what the volunteer reads, in `language` or the nearest that there is."""
        return Texts(self.texts).best(language)


@dataclass(frozen=True)
class Question:
    """One question, its help text and its answers in the order shown.

    Parameters
    ----------
    slug
        Lower-case name, unique within its tree.
    texts, help
        The question and its longer help, by language; help may be empty.
    answers
        At least two.
    """

    slug: str
    texts: Mapping[str, str]
    help: Mapping[str, str]
    answers: tuple[Answer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", Texts(self.texts))
        object.__setattr__(self, "help", Texts(self.help))
        object.__setattr__(self, "answers", tuple(self.answers))

    def text(self, language: str = "en") -> str:
        """Return the question, in `language` or the nearest that there is."""
        return Texts(self.texts).best(language)

    def help_text(self, language: str = "en") -> str:
        """Return the help, in `language` or the nearest that there is; empty for none."""
        return Texts(self.help).best(language)

    def answer(self, slug: str) -> Answer:
        """Return one answer; raises AnnotationError for one that the question lacks."""
        for answer in self.answers:
            if answer.slug == slug:
                return answer
        raise AnnotationError(f"question {self.slug!r} has no answer {slug!r}")

    @property
    def columns(self) -> list[str]:
        """The label columns of this question's answers, in order."""
        return [f"{self.slug}_{answer.slug}" for answer in self.answers]


def check_tree_document(document: Any) -> None:
    """Refuse a tree document whose own keys are missing, unknown or of the wrong type."""
    _check_keys(document, "tree", _TREE_KEYS)


def read_question(document: Any) -> Question:
    """Build a question from its JSON form; raises TreeError, naming the question."""
    where = f"question {document.get('slug')!r}" if isinstance(document, Mapping) else "question"
    _check_keys(document, where, _QUESTION_KEYS)
    return Question(
        slug=document["slug"],
        texts=_read_texts(document["text"], where),
        help=_read_texts(document.get("help", {}), where),
        answers=tuple(_read_answer(answer, where) for answer in document["answers"]),
    )


def _read_answer(document: Any, where: str) -> Answer:
    _check_keys(document, f"{where}: answer", _ANSWER_KEYS)
    return Answer(
        slug=document["slug"],
        texts=_read_texts(document["text"], where),
        next=document.get("next"),
        icon=document.get("icon", ""),
        artifact=document.get("artifact", False),
    )


def _read_texts(texts: Mapping[str, Any], where: str) -> Mapping[str, str]:
    for language, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise TreeError(f"{where}: text in {language!r} must be words, is {text!r}")
    return texts


def _check_keys(document: Any, where: str, keys: Mapping[str, type]) -> None:
    if not isinstance(document, Mapping):
        raise TreeError(f"{where} must be a JSON object, is {document!r}")
    unknown = sorted(set(document) - set(keys))
    if unknown:
        raise TreeError(f"{where} must have only the keys {sorted(keys)}, has {unknown[0]!r}")
    for key, kind in keys.items():
        value = document.get(key)
        if (key not in document or value is None) and key in _OPTIONAL:
            continue
        if not isinstance(value, kind):
            raise TreeError(f"{where}: {key} must be of type {kind.__name__}, is {value!r}")


def question_document(question: Question) -> dict[str, Any]:
    """Return the JSON form of a question; the inverse of `read_question`."""
    return {
        "slug": question.slug,
        "text": dict(question.texts),
        "help": dict(question.help),
        "answers": [_answer_document(answer) for answer in question.answers],
    }


def _answer_document(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = {
        "slug": answer.slug,
        "text": dict(answer.texts),
        "next": answer.next,
        "icon": answer.icon,
    }
    return {**document, "artifact": True} if answer.artifact else document


def check_slug(slug: str, where: str) -> None:
    """Refuse a slug that is not lower-case words joined by hyphens (no underscore: Zoobot's)."""
    if not isinstance(slug, str) or not _SLUG.fullmatch(slug):
        raise TreeError(f"{where}: slug must be lower-case words joined by hyphens, is {slug!r}")


def check_questions(start: str, questions: Sequence[Question]) -> None:
    """Refuse questions that are malformed, repeated, dangling or unreachable."""
    if not questions:
        raise TreeError("questions must be at least 1, is 0")
    for question in questions:
        _check_question(question)
    _check_unique([question.slug for question in questions], "tree", "question")
    by_slug = {question.slug: question for question in questions}
    if start not in by_slug:
        raise TreeError(f"start must name a question, is {start!r}")
    _check_reachable(start, by_slug)


def _check_question(question: Question) -> None:
    where = f"question {question.slug!r}"
    check_slug(question.slug, where)
    if len(question.answers) < 2:
        raise TreeError(f"{where} must have at least 2 answers, has {len(question.answers)}")
    if not question.texts:
        raise TreeError(f"{where} must have a text in at least 1 language, has none")
    for answer in question.answers:
        _check_answer(answer, where)
    _check_unique([answer.slug for answer in question.answers], where, "answer")


def _check_answer(answer: Answer, where: str) -> None:
    check_slug(answer.slug, f"{where}: answer")
    if answer.slug in _RESERVED_ANSWERS:
        raise TreeError(f"{where}: answer {answer.slug!r} clashes with the column of that name")
    if not answer.texts:
        raise TreeError(f"{where}: answer {answer.slug!r} must have a text, has none")


def _check_unique(slugs: Sequence[str], where: str, kind: str) -> None:
    for slug, count in Counter(slugs).items():
        if count > 1:
            raise TreeError(f"{where} must have one {kind} {slug!r}, has {count}")


def _check_reachable(start: str, by_slug: Mapping[str, Question]) -> None:
    reached, waiting = {start}, [start]
    while waiting:
        question = by_slug[waiting.pop()]
        for slug in next_questions(question):
            if slug not in by_slug:
                raise TreeError(
                    f"question {question.slug!r}: next must name a question, is {slug!r}"
                )
            if slug not in reached:
                reached.add(slug)
                waiting.append(slug)
    for slug in by_slug:
        if slug not in reached:
            raise TreeError(
                f"question {slug!r} must be reachable from {start!r}: no answer leads to it"
            )


def next_questions(question: Question) -> list[str]:
    """Return the slugs that the answers lead to, each once, in the order of the answers."""
    return list(dict.fromkeys(answer.next for answer in question.answers if answer.next))


def topological(questions: Sequence[Question]) -> tuple[Question, ...]:
    """Return checked questions so that each comes after all that lead to it, else as given.

    Raises
    ------
    TreeError
        Where questions lead back to themselves; the message spells out the loop.
    """
    waiting = {question.slug: question for question in questions}
    ordered: list[Question] = []
    while waiting:
        blocked = {slug for question in waiting.values() for slug in next_questions(question)}
        free = next((slug for slug in waiting if slug not in blocked), None)
        if free is None:
            raise TreeError(f"questions must not lead back to themselves: {_loop(waiting)}")
        ordered.append(waiting.pop(free))
    return tuple(ordered)


def _loop(waiting: Mapping[str, Question]) -> str:
    parent = {slug: q.slug for q in waiting.values() for slug in next_questions(q)}
    trail = [next(iter(waiting))]
    while trail.count(trail[-1]) < 2:
        trail.append(parent[trail[-1]])
    loop = trail[trail.index(trail[-1]) :]
    return " -> ".join(repr(slug) for slug in reversed(loop))


def read_mirror_pairs(pairs: Sequence[Any], columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs of two columns each, no column in two pairs; raises TreeError otherwise."""
    seen: set[str] = set()
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise TreeError(f"mirror_pairs must hold pairs of label columns, has {pair!r}")
        for column in pair:
            if column not in columns or column in seen:
                raise TreeError(f"mirror_pairs must hold each label column once, has {column!r}")
            seen.add(column)
    return tuple((left, right) for left, right in pairs)
