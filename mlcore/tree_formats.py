"""Panoptes workflows (Zooniverse) to and from the plain JSON form of a decision tree.

A Panoptes workflow is a mapping of task key to task: ``{"T0": {"type": "single",
"question", "help", "answers": [{"label", "next"}]}}``. Its texts may be keys into a
separate strings file, and its labels may hold Markdown images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mlcore.errors import TreeError

_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")


def slugify(text: str) -> str:
    """Return lower-case words of `text` joined by hyphens; empty where there are none.

    >>> slugify("Can't tell")
    'cant-tell'
    """
    return "-".join(re.findall(r"[a-z0-9]+", text.lower().replace("'", "").replace("’", "")))


def task_keys(slugs: Sequence[str]) -> dict[str, str]:
    """Return question slug to Panoptes task key, ``T0`` first."""
    return {slug: f"T{place}" for place, slug in enumerate(slugs)}


def panoptes_tasks(
    document: Mapping[str, Any], choose: Callable[[Mapping[str, str]], str]
) -> dict[str, Any]:
    """Return the Panoptes tasks of a tree's JSON form.

    Parameters
    ----------
    document
        As `DecisionTree.to_dict` gives it.
    choose
        Picks one text out of several languages.
    """
    keys = task_keys([question["slug"] for question in document["questions"]])
    return {
        keys[question["slug"]]: {
            "type": "single",
            "question": choose(question["text"]),
            "help": choose(question["help"]),
            "required": True,
            "answers": [_panoptes_answer(answer, keys, choose) for answer in question["answers"]],
        }
        for question in document["questions"]
    }


def _panoptes_answer(
    answer: Mapping[str, Any],
    keys: Mapping[str, str],
    choose: Callable[[Mapping[str, str]], str],
) -> dict[str, str]:
    label = {"label": choose(answer["text"])}
    return {**label, "next": keys[answer["next"]]} if answer["next"] else label


def read_panoptes(
    tasks: Mapping[str, Any],
    *,
    first_task: str | None,
    strings: Mapping[str, str] | None,
    slugs: Mapping[str, tuple[str, Sequence[str]]] | None,
    skip: Collection[str],
) -> tuple[str, list[dict[str, Any]]]:
    """Return the start slug and the questions, in JSON form, of a Panoptes workflow.

    The arguments are those of `DecisionTree.from_panoptes`.

    Raises
    ------
    TreeError
        For no tasks, a task type other than ``single``, and a missing task or string.
    """
    workflow = _Workflow(tasks, strings, slugs or {}, skip)
    start = workflow.resolve(first_task or _first_task(tasks), "first_task")
    if start is None:
        raise TreeError("skip must leave a task to start with, leaves none")
    reached = workflow.reachable(start)
    return workflow.slug(start), [workflow.question(key) for key in reached]


def _first_task(tasks: Mapping[str, Any]) -> str:
    if not tasks:
        raise TreeError("tasks must be at least 1, is 0")
    return next((key for key in ("init", "T0") if key in tasks), next(iter(tasks)))


class _Workflow:
    """A Panoptes workflow being read: texts looked up, skipped tasks passed over."""

    def __init__(
        self,
        tasks: Mapping[str, Any],
        strings: Mapping[str, str] | None,
        slugs: Mapping[str, tuple[str, Sequence[str]]],
        skip: Collection[str],
    ) -> None:
        self._tasks = tasks
        self._strings = strings
        self._slugs = slugs
        self._skip = skip

    def resolve(self, key: str | None, where: str) -> str | None:
        """Return the task to ask at `key`, past those to skip; None where the path ends."""
        passed: set[str] = set()
        while key:
            if key not in self._tasks:
                raise TreeError(f"task {where!r}: next must name a task, is {key!r}")
            if key not in self._skip:
                return key
            if key in passed:
                raise TreeError(f"task {key!r} must not lead back to itself")
            passed.add(key)
            key = self._tasks[key].get("next")
        return None

    def reachable(self, start: str) -> list[str]:
        """Return the keys of the tasks that some path asks, each once, checked."""
        found, waiting = [start], [start]
        while waiting:
            key = waiting.pop(0)
            for answer in self._answers(key):
                following = self.resolve(answer.get("next"), key)
                if following and following not in found:
                    found.append(following)
                    waiting.append(following)
        return found

    def _answers(self, key: str) -> Sequence[Mapping[str, Any]]:
        task = self._tasks[key]
        kind = task.get("type", "single") if isinstance(task, Mapping) else None
        if kind != "single":
            raise TreeError(
                f"task {key!r}: type must be 'single', is {kind!r} (skip it, or split it)"
            )
        answers = task.get("answers")
        if not isinstance(answers, Sequence) or not all(isinstance(a, Mapping) for a in answers):
            raise TreeError(f"task {key!r}: answers must be a list of objects, is {answers!r}")
        return answers

    def slug(self, key: str) -> str:
        """Return the slug of the question at `key`."""
        if key in self._slugs:
            return self._slugs[key][0]
        return slugify(self._text(self._tasks[key].get("question"), key)) or slugify(key)

    def question(self, key: str) -> dict[str, Any]:
        """Return the JSON form of the question at `key`."""
        help_text = self._text(self._tasks[key].get("help", ""), key)
        return {
            "slug": self.slug(key),
            "text": {"en": self._text(self._tasks[key].get("question"), key)},
            "help": {"en": help_text} if help_text else {},
            "answers": [self._answer(key, place) for place in range(len(self._answers(key)))],
        }

    def _answer(self, key: str, place: int) -> dict[str, Any]:
        answer = self._answers(key)[place]
        following = self.resolve(answer.get("next"), key)
        return {
            "slug": self._answer_slug(key, place),
            "text": {"en": self._text(answer.get("label"), key)},
            "next": self.slug(following) if following else None,
        }

    def _answer_slug(self, key: str, place: int) -> str:
        if key not in self._slugs:
            return slugify(self._text(self._answers(key)[place].get("label"), key))
        slugs = self._slugs[key][1]
        if len(slugs) != len(self._answers(key)):
            raise TreeError(
                f"slugs of task {key!r} must be {len(self._answers(key))}, is {len(slugs)}"
            )
        return slugs[place]

    def _text(self, text: Any, key: str) -> str:
        if not isinstance(text, str):
            raise TreeError(f"task {key!r}: texts must be words, is {text!r}")
        if self._strings is not None and text:
            if text not in self._strings:
                raise TreeError(f"task {key!r}: strings must hold {text!r}")
            text = self._strings[text]
        return _IMAGE.sub("", text).strip()
