"""A small decision tree, for every test of the machine."""

import pytest

from mlcore.train_config import TrainConfig
from mlcore.tree import DecisionTree


def make_tree(questions, mirror_pairs=()):
    """Build a tree from question -> {answer: next question or None}, start first."""
    return DecisionTree.from_dict(
        {
            "slug": "tiny",
            "name": "Tiny",
            "start": next(iter(questions)),
            "mirror_pairs": [list(pair) for pair in mirror_pairs],
            "questions": [
                {
                    "slug": slug,
                    "text": {"en": slug},
                    "help": {},
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
def handed_tree():
    """Two questions; the second's answers are handed."""
    return make_tree(
        {
            "shape": {"round": None, "spiral": "winding"},
            "winding": {"clockwise": None, "anticlockwise": None, "unsure": None},
        },
        mirror_pairs=[("winding_clockwise", "winding_anticlockwise")],
    )


#: Trains in seconds, and learns next to nothing.
TINY_TRAIN = TrainConfig(
    encoder="test_resnet",
    image_size=24,
    crop_fraction=1.0,
    batch_size=8,
    epochs=2,
    steps_per_epoch=4,
    average_views=1,
    predict_batch_size=16,
    pretrain_steps=2,
    pretrain_batch_size=8,
)
