"""A model on disk is data, and a damaged one is refused."""

import json
from dataclasses import replace

import pytest
import torch

from mlcore.calibration import Calibration, QuestionCalibration
from mlcore.cnn.encoder import make_encoder
from mlcore.cnn.model import CnnModel
from mlcore.cnn.network import TreeNetwork
from mlcore.errors import ArtefactError


def test_a_saved_model_predicts_the_same(trained, tmp_path):
    trained.save(tmp_path)
    loaded = CnnModel.load(tmp_path)
    images = torch.rand(3, 3, 24, 24)
    with torch.inference_mode():
        assert torch.equal(trained.network(images), loaded.network(images))
    assert loaded.tree == trained.tree
    assert (loaded.config, loaded.origin) == (trained.config, trained.origin)
    assert loaded.history == trained.history


def test_a_calibration_is_kept_with_the_model(trained, tmp_path):
    trained.save(tmp_path)
    weights = (tmp_path / "weights.safetensors").stat()
    calibration = Calibration({"shape": QuestionCalibration(0.25, 30, 150.0, 0.1)})
    replace(trained, calibration=calibration).save_description(tmp_path)
    assert CnnModel.load(tmp_path).calibration == calibration
    assert (tmp_path / "weights.safetensors").stat() == weights


def test_a_model_from_before_calibration_changes_nothing(trained, tmp_path):
    trained.save(tmp_path)
    path = tmp_path / "model.json"
    description = json.loads(path.read_text())
    del description["calibration"]
    path.write_text(json.dumps(description))
    assert (CnnModel.load(tmp_path).calibration.factors(trained.tree) == 1).all()


def test_an_ensemble_is_kept_whole(trained, tmp_path):
    torch.manual_seed(0)
    config = replace(trained.config, ensemble=2)
    other = TreeNetwork(make_encoder(config.encoder)[0], trained.tree, config).eval()
    replace(trained, config=config, others=(other,)).save(tmp_path)
    loaded = CnnModel.load(tmp_path)
    images = torch.rand(3, 3, 24, 24)
    with torch.inference_mode():
        assert torch.equal(loaded.others[0](images), other(images))
        assert torch.equal(loaded.network(images), trained.network(images))
    (tmp_path / "weights-1.safetensors").write_bytes(b"cut short")
    with pytest.raises(ArtefactError, match=r"weights-1\.safetensors must have the recorded"):
        CnnModel.load(tmp_path)


def test_a_model_from_before_shape_features_has_none(trained, tmp_path):
    config = replace(trained.config, shape_features=False)
    network = TreeNetwork(make_encoder(config.encoder)[0], trained.tree, config).eval()
    replace(trained, config=config, network=network).save(tmp_path)
    path = tmp_path / "model.json"
    description = json.loads(path.read_text())
    for name in ("shape_features", "ensemble", "bands", "precision"):
        del description["config"][name]
    del description["others_sha256"]
    path.write_text(json.dumps(description))
    assert CnnModel.load(tmp_path).network.shapes is None


def test_holds_safetensors_and_json_alone(trained, tmp_path):
    trained.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]
    json.loads((tmp_path / "model.json").read_text())


def flip_a_byte(directory):
    path = directory / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def change(**entries):
    def damage(directory):
        path = directory / "model.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_byte, "must have the recorded sha256"),
        (lambda directory: (directory / "weights.safetensors").unlink(), "must be readable"),
        (lambda directory: (directory / "model.json").unlink(), "must be a JSON file"),
        (lambda directory: (directory / "model.json").write_text("{"), "must be a JSON file"),
        (lambda directory: (directory / "model.json").write_text("[]"), "must hold a JSON object"),
        (change(format=99), "must hold a model of format 1, has 99"),
        (change(config={"epochs": 0}), "epochs must be at least 1"),
        (change(config={"encoder": "test_convnext"}), "must hold this network's weights"),
        (change(origin={}), "must hold a model, is damaged"),
        (change(calibration={"shape": {"scale": 0}}), "must hold a model, is damaged: scale"),
        (change(calibration={"colour": {}}), "'colour' is not"),
        (change(calibration=3), "must be a calibration"),
        (change(others_sha256=3), "must list others_sha256, has 3"),
        (change(others_sha256=["0" * 64]), r"weights-1\.safetensors must be readable"),
        (change(config={"encoder": "test_resnet", "ensemble": 2}), "ensemble must be as many"),
        (change(tree={}), "must hold a model, is damaged"),
    ],
)
def test_a_damaged_model_is_refused(trained, tmp_path, damage, message):
    trained.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ArtefactError, match=message):
        CnnModel.load(tmp_path)


def test_an_unfinished_save_is_no_model(trained, tmp_path, monkeypatch):
    trained.save(tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlcore.cnn.model.write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        trained.save(tmp_path)
    with pytest.raises(ArtefactError):
        CnnModel.load(tmp_path)
