"""Small trees for the tests of this folder."""

import pytest

from mlcore.tree import DecisionTree


def grow(questions):
    return DecisionTree.from_dict(
        {
            "slug": "tree",
            "name": "Tree",
            "start": next(iter(questions)),
            "questions": [
                {
                    "slug": slug,
                    "text": {"en": slug},
                    "answers": [
                        {"slug": answer, "text": {"en": answer}, "next": following}
                        for answer, following in answers.items()
                    ],
                }
                for slug, answers in questions.items()
            ],
        }
    )


@pytest.fixture(scope="session")
def one_question():
    """Make a tree of one question with so many answers."""
    return lambda n_answers: grow({"shape": {f"a{i}": None for i in range(n_answers)}})


@pytest.fixture(scope="session")
def branching_tree():
    """Make "smooth?" (3 answers), and "bar?" (2 answers) for those that are not."""
    return grow(
        {
            "smooth": {"yes": None, "no": "bar", "artifact": None},
            "bar": {"yes": None, "no": None},
        }
    )
