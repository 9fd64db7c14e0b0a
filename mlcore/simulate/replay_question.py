"""The one question that a replay asks, and how volunteers mistake its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlcore.errors import InvalidInputError
from mlcore.simulate.confusion import GZ1_CONFUSION, Confusion
from mlcore.simulate.replay_folder import slug_of
from mlcore.tree import Answer, DecisionTree, Question

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Share of right answers where nothing is known about how classes are confused.
EVEN_ACCURACY = 0.85
MAX_CLASSES = 50
_CLOCKWISE, _ANTICLOCKWISE = "clockwise", "anticlockwise"
_TEXTS = {"en": "Which of these is it?", "zh-hant": "這是哪一種？", "zh-hans": "这是哪一种？"}


def tree_of_classes(name: str, class_column: str, classes: Sequence[str]) -> DecisionTree:
    """Return a tree that asks one question with the classes as its answers.

    Parameters
    ----------
    name
        Of the folder; its slug is the tree's.
    class_column
        Heading of the classes; its slug is the question's.
    classes
        Slugs. Of ``...clockwise`` and ``...anticlockwise`` each is the other's mirror
        image.

    Raises
    ------
    InvalidInputError
        For fewer than 2 classes or more than 50.
    """
    if not 2 <= len(classes) <= MAX_CLASSES:
        found = ", ".join(classes[:3])
        raise InvalidInputError(
            f"classes must be from 2 to {MAX_CLASSES}, are {len(classes)} ({found})"
        )
    slug = slug_of(class_column) or "class"
    answers = tuple(Answer(each, {"en": each.replace("-", " ").capitalize()}) for each in classes)
    return DecisionTree(
        slug=slug_of(name) or "replay",
        name=name,
        start=slug,
        questions=(Question(slug, _TEXTS, {}, answers),),
        mirror_pairs=tuple(
            (f"{slug}_{each}", f"{slug}_{_mirrored(each)}")
            for each in classes
            if _mirrored(each) in classes
        ),
    )


def _mirrored(class_slug: str) -> str:
    """Return the anticlockwise class of a clockwise one; empty for any other."""
    stem = class_slug.removesuffix(_CLOCKWISE)
    is_clockwise = class_slug.endswith(_CLOCKWISE) and (not stem or stem.endswith("-"))
    return f"{stem}{_ANTICLOCKWISE}" if is_clockwise else ""


def question_alone(tree: DecisionTree, classes: Sequence[str]) -> DecisionTree:
    """Return a tree of the one question in `tree` whose answers include the classes.

    A tree that asks nothing else is returned as it is.

    Raises
    ------
    InvalidInputError
        For no class, or where no question has them all, or several have.
    """
    if not classes:
        raise InvalidInputError("classes must be at least 1, are 0")
    fitting = [
        question
        for question in tree.questions
        if set(classes) <= {answer.slug for answer in question.answers}
    ]
    if len(fitting) != 1:
        raise InvalidInputError(
            f"tree {tree.slug!r} must have one question with the answers {', '.join(classes)}, "
            f"has {len(fitting)}"
        )
    if len(tree.questions) == 1:
        return tree
    ends = tuple(replace(answer, next=None) for answer in fitting[0].answers)
    alone = replace(fitting[0], answers=ends)
    pairs = tuple(pair for pair in tree.mirror_pairs if set(pair) <= set(alone.columns))
    return DecisionTree(tree.slug, tree.name, alone.slug, (alone,), pairs)


def confusion_of(answers: Sequence[str]) -> Confusion:
    """Return how volunteers confuse these answers.

    `GZ1_CONFUSION` where Galaxy Zoo 1 knows them all (of fewer classes, the fractions of
    those), else 0.85 right and the rest spread evenly.

    Raises
    ------
    InvalidInputError
        For fewer than 2 answers, or repeated ones.
    """
    if not set(answers) <= set(GZ1_CONFUSION.classes):
        return Confusion.even(answers, EVEN_ACCURACY)
    places = [GZ1_CONFUSION.classes.index(answer) for answer in answers]
    kept = [[GZ1_CONFUSION.rows[row][place] for place in places] for row in places]
    rows = tuple(tuple(part / sum(row) for part in row) for row in kept)
    return Confusion(tuple(answers), rows)
