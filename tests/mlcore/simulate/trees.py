"""Small decision trees for the tests of the simulation."""

from pathlib import Path

from mlcore.tree import DecisionTree

FIXTURES = Path(__file__).parents[3] / "fixtures" / "trees"


def published(slug):
    return DecisionTree.from_file(FIXTURES / f"{slug}.json")


def one_question(slug, *answers):
    choices = [{"slug": answer, "text": {"en": answer}} for answer in answers]
    question = {"slug": "class", "text": {"en": "Which?"}, "answers": choices}
    return DecisionTree.from_dict(
        {"slug": slug, "name": slug, "start": "class", "questions": [question]}
    )
