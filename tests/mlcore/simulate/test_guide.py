"""The field guide's drawings: as committed, and each showing what it stands for."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mlcore.simulate import guide
from mlcore.simulate.answers import KNOWN_TREES, answer_fractions
from mlcore.simulate.guide import EXAMPLES, write_examples
from mlcore.simulate.render import render

from . import trees

ROOT = trees.FIXTURES.parents[1]
DRAWINGS = ROOT / "frontend" / "static" / "frontend" / "guide"
LIMIT = 500 * 1024

# The simulated crowd never sees these: their examples are altered drawings.
NOT_SIMULATED = {"odd-feature_lens-or-arc"}


def entries():
    """Return label column to the names of its examples, as the guide has them."""
    document = json.loads((ROOT / "fixtures" / "guide" / "guide.json").read_text("utf-8"))
    questions = document["questions"]
    found = {}
    for question, answers in questions.items():
        for answer, entry in answers.items():
            like_question, _, like_answer = entry.get("like", f"{question}/{answer}").partition("/")
            images = questions[like_question][like_answer]["images"]
            found[f"{question}_{answer}"] = [image.removeprefix("drawn:") for image in images]
    return found


def favourites(name, tree):
    """Return the answers that most of the simulated crowd gives of an example."""
    fractions = answer_fractions(EXAMPLES[name].truth, tree)
    return {
        tree.label_cols[place.start + int(fractions[place].argmax())]
        for place in tree.question_slices.values()
    }


@pytest.mark.parametrize("slug", KNOWN_TREES)
def test_every_answer_has_an_example_that_most_people_would_give_it(slug):
    tree, examples = trees.published(slug), entries()
    wrong = [
        column
        for column in tree.label_cols
        if not any(column in favourites(name, tree) for name in examples[column])
    ]
    assert set(wrong) == NOT_SIMULATED & set(tree.label_cols)


def test_every_answer_has_one_to_three_examples():
    assert {len(names) for names in entries().values()} <= {1, 2, 3}
    assert set().union(*entries().values()) <= set(EXAMPLES)


def test_the_drawings_are_those_of_the_examples_and_small_together():
    files = sorted(DRAWINGS.glob("*"))
    assert [file.name for file in files] == sorted(f"{name}.webp" for name in EXAMPLES)
    assert sum(file.stat().st_size for file in files) < LIMIT


def coarse(picture):
    """Average blocks of 8 pixels: what is left is the galaxy, not its noise."""
    side = guide.SIZE // 8
    return np.asarray(picture, float).reshape(side, 8, side, 8, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("name", ["spiral-1", "dust-lane-1", "lens-1"])
def test_a_drawing_is_what_its_example_draws_now(name):
    with Image.open(DRAWINGS / f"{name}.webp") as image:
        committed = coarse(image.convert("RGB"))
    assert np.abs(committed - coarse(EXAMPLES[name].picture())).mean() < 3
    assert np.abs(committed - coarse(EXAMPLES["edge-on-2"].picture())).mean() > 9


def test_examples_are_written_to_a_new_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(guide, "EXAMPLES", {"star-1": EXAMPLES["star-1"]})
    write_examples(tmp_path / "new")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["star-1.webp"]


def test_altering_the_light_changes_the_picture_where_it_is_altered():
    truth = replace(EXAMPLES["round-1"].truth, depth=30.0)

    def blue_corner(light, grid):
        light = light.copy()
        light[2, :40, :40] += 5.0
        return light

    plain, altered = render(truth, 96), render(truth, 96, alter=blue_corner)
    assert altered[:20, :20, 2].mean() > plain[:20, :20, 2].mean() + 50
    assert np.abs(altered[60:, 60:].astype(int) - plain[60:, 60:]).mean() < 1
