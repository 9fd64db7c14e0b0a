"""Decision trees: the questions that a volunteer is asked, and what each answer leads to.

A tree is a directed acyclic graph: a question may be reached by several answers, as
"is it merging?" is in Galaxy Zoo. One volunteer walks one path from the start to an
answer that leads nowhere; only the questions on that path get a vote. Label columns
are Zoobot's, ``<question>_<answer>`` (Walmsley et al. 2022, MNRAS 509, 3966).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlcore.errors import AnnotationError, TreeError
from mlcore.tree_formats import panoptes_tasks, read_panoptes, task_keys
from mlcore.tree_parts import (
    Answer,
    Question,
    Step,
    Texts,
    check_questions,
    check_slug,
    check_tree_document,
    question_document,
    read_mirror_pairs,
    read_question,
    topological,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Answer", "DecisionTree", "Question", "Step", "Texts", "TreePath"]

TreePath: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True)
class DecisionTree:
    """An immutable, checked decision tree.

    Parameters
    ----------
    slug, name
        Short name for files and addresses; name for people.
    start
        Slug of the question that everyone is asked first.
    questions
        In any order; kept in topological order, `start` first and otherwise as given.
    mirror_pairs
        Pairs of label columns that a left-right flip of the image swaps (clockwise and
        anticlockwise arms).

    Raises
    ------
    TreeError
        For a cycle, an unreachable question, a repeated or malformed slug, a question
        with fewer than two answers, a `next` or `start` that names no question, or a
        mirror pair that is not two columns. The message names the question.
    """

    slug: str
    name: str
    start: str
    questions: tuple[Question, ...]
    mirror_pairs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_slug(self.slug, "tree")
        check_questions(self.start, self.questions)
        object.__setattr__(self, "questions", topological(self.questions))
        pairs = read_mirror_pairs(self.mirror_pairs, self.label_cols)
        object.__setattr__(self, "mirror_pairs", pairs)

    @classmethod
    def from_file(cls, path: str | Path) -> DecisionTree:
        """Read a tree from a JSON file.

        Raises
        ------
        TreeError
            Where the file is not JSON, or not a well-formed tree.
        OSError
            Where the file cannot be read.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise TreeError(f"{path} must be JSON in UTF-8: {error}") from error
        return cls.from_dict(document)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> DecisionTree:
        """Build a tree from its JSON form; the inverse of `to_dict`.

        Unknown keys are refused, so that a misspelt one is not ignored. ``help``,
        ``icon``, ``next``, ``artifact`` and ``mirror_pairs`` may be left out.

        Raises
        ------
        TreeError
            Where a key is missing, unknown or of the wrong type, or the tree is not well
            formed.
        """
        check_tree_document(document)
        return cls(
            slug=document["slug"],
            name=document["name"],
            start=document["start"],
            questions=tuple(read_question(entry) for entry in document["questions"]),
            mirror_pairs=tuple(document.get("mirror_pairs") or ()),
        )

    @classmethod
    def from_panoptes(
        cls,
        tasks: Mapping[str, Any],
        *,
        slug: str,
        name: str | None = None,
        first_task: str | None = None,
        strings: Mapping[str, str] | None = None,
        slugs: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        skip: Collection[str] = (),
        artifact_cols: Collection[str] = (),
    ) -> DecisionTree:
        """Build a tree from a Panoptes (Zooniverse) workflow's ``tasks``.

        Tasks that no answer leads to are never asked, and are left out. Markdown images
        are dropped from labels. Slugs come from the English words unless `slugs` gives
        them.

        Parameters
        ----------
        tasks
            ``{"T0": {"type": "single", "question", "answers": [{"label", "next"}]}}``.
        slug, name
            Of the new tree; the name defaults to the slug.
        first_task
            Default: the task called ``init``, else ``T0``, else the first.
        strings
            Panoptes's strings file, where the tasks hold keys (``T0.question``).
        slugs
            Task to (question slug, answer slugs), as `panoptes_slugs` gives them.
        skip
            Tasks to pass over, as "pick all that apply", which a tree cannot hold; what
            led to them leads to the task's own ``next``.
        artifact_cols
            Label columns of the answers that say there is no galaxy.

        Raises
        ------
        TreeError
            For a task type other than ``single``, a missing task or string, and whatever
            the tree itself refuses.
        """
        start, questions = read_panoptes(
            tasks, first_task=first_task, strings=strings, slugs=slugs, skip=skip
        )
        tree = cls.from_dict(
            {"slug": slug, "name": name or slug, "start": start, "questions": questions}
        )
        return tree.with_artifacts(artifact_cols) if artifact_cols else tree

    def with_artifacts(self, columns: Collection[str]) -> DecisionTree:
        """Return this tree with exactly the answers in `columns` marked as artifacts.

        Raises
        ------
        TreeError
            For a column that the tree lacks.
        """
        unknown = sorted(set(columns) - set(self.label_cols))
        if unknown:
            raise TreeError(f"columns must be label columns of {self.slug!r}, is {unknown[0]!r}")
        document = self.to_dict()
        for question in document["questions"]:
            for answer in question["answers"]:
                answer["artifact"] = f"{question['slug']}_{answer['slug']}" in columns
        return DecisionTree.from_dict(document)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, questions in topological order."""
        return {
            "slug": self.slug,
            "name": self.name,
            "start": self.start,
            "mirror_pairs": [list(pair) for pair in self.mirror_pairs],
            "questions": [question_document(question) for question in self.questions],
        }

    def to_panoptes(self, language: str = "en") -> dict[str, Any]:
        """Return Panoptes ``tasks`` in one language: ``T0`` is the start.

        Icons, artifact marks and mirror pairs have no place there and are lost; slugs are
        kept by `panoptes_slugs`.
        """
        return panoptes_tasks(self.to_dict(), lambda texts: Texts(texts).best(language))

    def panoptes_slugs(self) -> dict[str, tuple[str, list[str]]]:
        """Return task key to (question slug, answer slugs in order), for `to_panoptes`."""
        keys = task_keys([question.slug for question in self.questions])
        return {
            keys[q.slug]: (q.slug, [answer.slug for answer in q.answers]) for q in self.questions
        }

    def to_zoobot_schema(self) -> Any:
        """Return the ``zoobot.shared.schemas.Schema`` of this tree.

        Zoobot lets a question depend on one answer at most. Where several answers lead to
        a question we name the last answer that every path to it shares, and None where
        they share none ("merging", asked after smooth and featured alike). For GZD-5 this
        gives Zoobot's own table.
        """
        from zoobot.shared.schemas import Schema  # noqa: PLC0415 - zoobot is slow to import

        pairs = {q.slug: [f"_{answer.slug}" for answer in q.answers] for q in self.questions}
        return Schema(pairs, {q.slug: self._last_shared_answer(q.slug) for q in self.questions})

    def _last_shared_answer(self, slug: str) -> str | None:
        shared: dict[str, list[str]] = {}
        for question in self.questions:
            routes = [[*shared[p], f"{p}_{a}"] for p, a in self.parents(question.slug)]
            first, others = (routes[0], routes[1:]) if routes else ([], [])
            shared[question.slug] = [c for c in first if all(c in route for route in others)]
        return shared[slug][-1] if shared[slug] else None

    @cached_property
    def _by_slug(self) -> dict[str, Question]:
        return {question.slug: question for question in self.questions}

    def question(self, slug: str) -> Question:
        """Return one question; raises AnnotationError for one that the tree lacks."""
        if slug not in self._by_slug:
            raise AnnotationError(f"tree {self.slug!r} has no question {slug!r}")
        return self._by_slug[slug]

    @cached_property
    def label_cols(self) -> list[str]:
        """The A label columns, ``<question>_<answer>``, question by question."""
        return [column for question in self.questions for column in question.columns]

    @cached_property
    def question_slices(self) -> dict[str, slice]:
        """Question to the slice of `label_cols` that holds its answers."""
        stops = np.cumsum([len(question.answers) for question in self.questions]).tolist()
        starts = [0, *stops[:-1]]
        spans = zip(self.questions, starts, stops, strict=True)
        return {question.slug: slice(start, stop) for question, start, stop in spans}

    @cached_property
    def column_index(self) -> dict[Step, int]:
        """(question, answer) to its place in `label_cols`."""
        steps = ((q.slug, answer.slug) for q in self.questions for answer in q.answers)
        return {step: index for index, step in enumerate(steps)}

    @cached_property
    def _parents(self) -> dict[str, tuple[Step, ...]]:
        steps: dict[str, list[Step]] = {question.slug: [] for question in self.questions}
        for question in self.questions:
            for answer in question.answers:
                if answer.next is not None:
                    steps[answer.next].append((question.slug, answer.slug))
        return {slug: tuple(found) for slug, found in steps.items()}

    def parents(self, slug: str) -> tuple[Step, ...]:
        """Return the (question, answer) pairs that lead to a question; none for the start."""
        return self._parents[self.question(slug).slug]

    def paths(self) -> Iterator[TreePath]:
        """Yield every complete path, in the order of the answers; lazily, there may be many."""
        open_paths: list[tuple[TreePath, str | None]] = [((), self.start)]
        while open_paths:
            path, slug = open_paths.pop()
            if slug is None:
                yield path
                continue
            answers = reversed(self.question(slug).answers)
            open_paths.extend(((*path, (slug, answer.slug)), answer.next) for answer in answers)

    def validate(self, annotations: Mapping[str, str] | Sequence[Step]) -> TreePath:
        """Return the annotations in walk order, once they are one complete path.

        Parameters
        ----------
        annotations
            Question slug to answer slug, or (question, answer) pairs, in any order.

        Raises
        ------
        AnnotationError
            For an unknown question or answer, two answers to one question, an unanswered
            question, or an answer to a question that the path does not ask.
        """
        given = self._unique_answers(annotations)
        path: list[Step] = []
        slug: str | None = self.start
        while slug is not None:
            if slug not in given:
                raise AnnotationError(f"question {slug!r} must be answered: the path leads to it")
            path.append((slug, given[slug]))
            slug = self.question(slug).answer(given[slug]).next
        extra = sorted(set(given) - {question for question, _ in path})
        if extra:
            raise AnnotationError(f"question {extra[0]!r} is not on the path of the other answers")
        return tuple(path)

    def _unique_answers(self, annotations: Mapping[str, str] | Sequence[Step]) -> dict[str, str]:
        steps = annotations.items() if isinstance(annotations, Mapping) else annotations
        given: dict[str, str] = {}
        for question, answer in steps:
            self.question(question).answer(answer)
            if question in given:
                raise AnnotationError(f"question {question!r} must have one answer, has two")
            given[question] = answer
        return given

    @cached_property
    def artifact_cols(self) -> list[str]:
        """The label columns of the answers that say there is no galaxy."""
        marks = (answer.artifact for question in self.questions for answer in question.answers)
        return [column for column, mark in zip(self.label_cols, marks, strict=True) if mark]

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """Column index after a left-right flip of the image; shape (A,), read-only.

        ``votes_of_flipped_image = votes[..., tree.mirror]``; the identity where the tree
        declares no handedness.
        """
        place = {column: index for index, column in enumerate(self.label_cols)}
        mirror = np.arange(len(self.label_cols))
        for left, right in self.mirror_pairs:
            mirror[place[left]], mirror[place[right]] = place[right], place[left]
        mirror.setflags(write=False)
        return mirror

    @cached_property
    def checksum(self) -> str:
        """sha256 of the canonical JSON, in hexadecimal."""
        canonical = json.dumps(
            self.to_dict(), ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        return hashlib.sha256(canonical.encode()).hexdigest()
