"""The folds' answers: made once, whatever is killed when."""

from types import SimpleNamespace

import numpy as np
import pytest

from mlcore import round_calibration
from mlcore.round_calibration import unseen_concentrations
from mlcore.tree import DecisionTree

IDS = ["a", "b", "c", "d"]


@pytest.fixture
def tree():
    answers = [{"slug": slug, "text": {"en": slug}, "next": None} for slug in ("yes", "no")]
    question = {"slug": "bar", "text": {"en": "A bar?"}, "answers": answers}
    return DecisionTree.from_dict(
        {"slug": "bar", "name": "Bar", "start": "bar", "questions": [question]}
    )


@pytest.fixture
def trainings(monkeypatch):
    """The folders that folds were trained in; training itself is left out."""
    begun = []

    def out_of_fold(_cache, rows, counts, *_rest, directory, **_options):
        begun.append(directory)
        directory.mkdir(parents=True)
        (directory / "network").write_bytes(b"weights")
        return np.arange(counts.size, dtype=np.float32).reshape(len(rows), -1) + 1.0

    monkeypatch.setattr(round_calibration, "out_of_fold", out_of_fold)
    monkeypatch.setattr(
        round_calibration, "voted_rows", lambda *_: (np.arange(len(IDS)), np.ones((len(IDS), 2)))
    )
    return begun


@pytest.fixture
def ask(tmp_path, tree):
    for stage in ("train", "flag"):
        (tmp_path / stage).mkdir()
    plan = SimpleNamespace(tree=tree, seed=0, config=SimpleNamespace(train=None, folds=2))
    files = SimpleNamespace(
        folder=lambda stage: SimpleNamespace(path=tmp_path / stage),
        plan=plan,
        part=lambda *_: None,
        should_stop=None,
    )
    cache = SimpleNamespace(ids=IDS)
    return lambda stage: unseen_concentrations(files, cache, None, stage=stage, start=0.0, end=1.0)


@pytest.mark.parametrize("first", ["train", "flag"])
def test_what_is_there_is_not_made_again(ask, trainings, tmp_path, first):
    made = ask(first)
    assert ask("flag").tolist() == made.tolist()
    assert trainings == [tmp_path / first / "folds"]


@pytest.mark.parametrize("stage", ["train", "flag"])
def test_a_kill_before_the_networks_are_removed_leaves_none(
    ask, trainings, tmp_path, monkeypatch, stage
):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(round_calibration.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            ask(stage)
    assert (tmp_path / stage / "folds" / "network").is_file()
    assert ask(stage).shape == (len(IDS), 2)
    assert not (tmp_path / stage / "folds").exists()
    assert len(trainings) == 1
