"""Out-of-fold predictions come from networks that never saw the galaxy's votes."""

from dataclasses import replace

import numpy as np
import pytest

from mlcore.cnn import folds as module
from mlcore.cnn.folds import out_of_fold
from mlcore.errors import InvalidInputError, NotEnoughVotesError


def test_predicts_every_galaxy_in_its_place(*, cache, rows, counts, handed_tree, config, tmp_path):
    longer = replace(config, epochs=5)
    found = out_of_fold(
        cache, rows[::-1], counts[::-1], handed_tree, longer, folds=2, directory=tmp_path, seed=1
    )
    assert found.shape == (40, 5)
    assert np.mean((found[:, 1] > found[:, 0]) == (rows[::-1] % 2 == 1)) > 0.9


def test_no_network_saw_the_votes_of_what_it_predicts(
    *, cache, rows, counts, handed_tree, config, tmp_path, monkeypatch
):
    learned = {}
    predicted = []

    def remember(*arguments, directory, **_):
        learned[directory] = set(arguments[1].tolist())
        return directory

    def look(directory, _, asked, **__):
        assert not learned[directory] & set(asked.tolist())
        assert len(learned[directory]) + len(asked) == 40
        predicted.extend(asked.tolist())
        return type("Found", (), {"concentrations": np.ones((len(asked), 5))})

    monkeypatch.setattr(module, "train", remember)
    monkeypatch.setattr(module, "predict", look)
    out_of_fold(cache, rows, counts, handed_tree, config, folds=3, directory=tmp_path, seed=1)
    assert sorted(predicted) == rows.tolist()


def test_reports_across_the_folds(*, cache, rows, counts, handed_tree, config, tmp_path):
    said = []
    out_of_fold(
        cache,
        rows,
        counts,
        handed_tree,
        replace(config, epochs=1, steps_per_epoch=1),
        folds=2,
        directory=tmp_path,
        seed=1,
        on_progress=lambda *each: said.append(each),
    )
    assert [each[1] for each in said] == [0.5, 1.0]
    assert said[1][2].startswith("fold 2 of 2, epoch 1 of 1")


@pytest.mark.parametrize(
    ("some", "folds", "message"),
    [
        (slice(0, 40), 1, "folds must be from 2 to 40 galaxies, is 1"),
        (slice(0, 3), 4, "folds must be from 2 to 3 galaxies, is 4"),
        ([0, 0, 1], 2, "rows must be unique, one is repeated"),
    ],
)
def test_impossible_folds_are_refused(
    *, cache, rows, counts, handed_tree, config, tmp_path, some, folds, message
):
    with pytest.raises(InvalidInputError, match=message):
        out_of_fold(
            cache,
            rows[some],
            counts[some],
            handed_tree,
            config,
            folds=folds,
            directory=tmp_path,
            seed=1,
        )


def test_one_galaxy_cannot_be_left_out(*, cache, rows, counts, handed_tree, config, tmp_path):
    with pytest.raises(NotEnoughVotesError, match="rows must have at least 2 galaxies, has 1"):
        out_of_fold(
            cache, rows[:1], counts[:1], handed_tree, config, folds=2, directory=tmp_path, seed=1
        )
