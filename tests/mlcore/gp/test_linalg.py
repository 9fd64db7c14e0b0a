import numpy as np
import pytest

from mlcore.errors import FitError
from mlcore.gp.linalg import factorise


def test_a_sound_matrix_is_not_changed():
    root = np.tril(np.random.default_rng(0).standard_normal((4, 4))) + 3 * np.eye(4)
    found = factorise(root @ root.T, "it")
    np.testing.assert_allclose(found @ found.T, root @ root.T)


def test_a_matrix_of_twins_gets_the_least_jitter_that_works():
    twins = np.ones((3, 3))
    found = factorise(twins, "it")
    np.testing.assert_allclose(found @ found.T, twins, atol=2e-8)


def test_a_matrix_spoilt_by_rounding_gets_more():
    spoilt = np.array([[1.0, 1.001], [1.001, 1.0]])
    found = factorise(spoilt, "it")
    np.testing.assert_allclose(found @ found.T, spoilt, atol=0.0101)
    assert not np.allclose(found @ found.T, spoilt, atol=1e-4)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], "the kernel must be positive definite"),
        ([[np.nan, 0.0], [0.0, 1.0]], "the kernel must be finite"),
        ([[np.inf, 0.0], [0.0, 1.0]], "the kernel must be finite"),
    ],
)
def test_a_hopeless_matrix_is_an_error_that_names_it(matrix, message):
    with pytest.raises(FitError, match=message):
        factorise(np.array(matrix), "the kernel")
