"""Settings refuse nonsense by name, and survive JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.cnn.config import TrainConfig
from mlcore.errors import InvalidInputError


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("epochs", 0, "epochs must be at least 1, is 0"),
        ("batch_size", 1, "batch_size must be at least 2, is 1"),
        ("pretrain_steps", -1, "pretrain_steps must be at least 0, is -1"),
        ("pretrain_batch_size", 1, "pretrain_batch_size must be at least 2, is 1"),
        ("image_size", 7, "image_size must be at least 8, is 7"),
        ("crop_fraction", 0.0, r"crop_fraction must be in \(0, 1\], is 0.0"),
        ("crop_fraction", 1.1, r"crop_fraction must be in \(0, 1\], is 1.1"),
        ("learning_rate", 0.0, "learning_rate must be more than 0, is 0.0"),
        ("learning_rate", math.nan, "learning_rate must be a float, is nan"),
        ("weight_decay", -0.1, "weight_decay must be at least 0, is -0.1"),
        ("layer_decay", 0.0, r"layer_decay must be in \(0, 1\], is 0.0"),
        ("class_balance", 1.5, r"class_balance must be in \[0, 1\], is 1.5"),
        ("lookalike_balance", -0.1, r"lookalike_balance must be in \[0, 1\], is -0.1"),
        ("head_dropout", -1, r"head_dropout must be in \[0, 1\], is -1"),
        ("validation_fraction", 0.6, r"validation_fraction must be in \[0, 0.5\], is 0.6"),
        ("average_views", 3, "average_views must be 1, 4 or 8, is 3"),
        ("training_mode", "none", "training_mode must be 'full' or 'head_only', is 'none'"),
        ("bands", "rgx", "bands must be letters of 'rgb', each once, is 'rgx'"),
        ("bands", "rr", "bands must be letters of 'rgb', each once, is 'rr'"),
        ("bands", "", "bands must be letters of 'rgb', each once, is ''"),
        ("ensemble", 0, "ensemble must be at least 1, is 0"),
        ("precision", "16", "precision must be 'auto', '32' or 'bf16', is '16'"),
        ("shape_features", 1, "shape_features must be a bool, is 1"),
        ("epochs", 2.5, "epochs must be a int, is 2.5"),
        ("epochs", True, "epochs must be a int, is True"),
        ("mirror", 1, "mirror must be a bool, is 1"),
        ("encoder", None, "encoder must be a str, is None"),
    ],
)
def test_a_bad_setting_is_named_with_its_rule_and_value(setting, value, message):
    with pytest.raises(InvalidInputError, match=message):
        TrainConfig(**{setting: value})


@given(
    st.fixed_dictionaries(
        {
            "epochs": st.integers(1, 99),
            "crop_fraction": st.floats(0.01, 1),
            "learning_rate": st.floats(1e-6, 1),
            "mirror": st.booleans(),
            "encoder": st.sampled_from(["resnet18", "convnext_atto"]),
        }
    )
)
def test_settings_survive_json(settings):
    config = TrainConfig(**settings)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_what_a_document_leaves_out_has_its_default():
    assert TrainConfig.from_dict({"epochs": 3}) == TrainConfig(epochs=3)


def test_an_unknown_setting_is_refused():
    with pytest.raises(InvalidInputError, match="epoch must be a setting of TrainConfig"):
        TrainConfig.from_dict({"epoch": 3})


def test_the_small_settings_are_valid():
    assert TrainConfig.small().image_size == 64
