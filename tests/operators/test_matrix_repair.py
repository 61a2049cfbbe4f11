"""A repaired matrix is the nearest correlation matrix, as an independent optimisation finds it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from genesis.operators.matrix_repair import repaired


def nearest_by_the_dual(matrix: np.ndarray) -> np.ndarray:
    """Return the nearest correlation matrix by its dual, unconstrained and smooth (Malick 2004)."""

    def positive(y: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix + np.diag(y))
        return (vectors * np.maximum(values, 0.0)) @ vectors.T

    def dual(y: np.ndarray) -> tuple[float, np.ndarray]:
        part = positive(y)
        return 0.5 * float((part * part).sum()) - float(y.sum()), part.diagonal() - 1.0

    found = optimize.minimize(
        dual, np.zeros(matrix.shape[0]), jac=True, method="BFGS", options={"gtol": 1e-10}
    )
    return positive(found.x)


def estimate_of(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = np.clip(np.tanh(rng.normal(size=(n, n))), -1.0, 1.0)
    matrix = np.tril(matrix, -1) + np.tril(matrix, -1).T
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_it_is_what_an_independent_optimisation_finds(n: int) -> None:
    for seed in range(5):
        estimate = estimate_of(seed, n)
        np.testing.assert_allclose(repaired(estimate).matrix, nearest_by_the_dual(estimate), atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 10))
def test_it_is_a_correlation_matrix_and_none_comes_out_worse_than_clipped_eigenvalues(
    seed: int, n: int
) -> None:
    estimate = estimate_of(seed, n)
    before = estimate.copy()
    found = repaired(estimate)
    assert np.linalg.eigvalsh(found.matrix).min() > -1e-10
    assert (found.matrix.diagonal() == 1.0).all()
    assert (np.abs(found.matrix) <= 1.0).all()
    np.testing.assert_array_equal(found.matrix, found.matrix.T)
    values, vectors = np.linalg.eigh(estimate)
    clipped = (vectors * np.maximum(values, 0.0)) @ vectors.T
    size = np.sqrt(clipped.diagonal())
    assert found.distance <= np.linalg.norm(clipped / np.outer(size, size) - estimate) + 1e-6
    np.testing.assert_array_equal(estimate, before)


def test_a_correlation_matrix_comes_back_as_it_is() -> None:
    returns = np.random.default_rng(1).normal(size=(50, 8))
    matrix = np.corrcoef(returns.T)
    matrix = (matrix + matrix.T) / 2.0
    found = repaired(matrix)
    assert found.matrix.tobytes() == matrix.tobytes()
    assert (found.rounds, found.distance) == (0, 0.0)


def test_what_is_undefined_stays_undefined_and_the_rest_is_repaired() -> None:
    estimate = estimate_of(3, 6)
    estimate[2, :] = estimate[:, 2] = np.nan
    estimate[0, 5] = estimate[5, 0] = np.nan
    found = repaired(estimate)
    np.testing.assert_array_equal(np.isnan(found.matrix), np.isnan(estimate))
    assert np.linalg.eigvalsh(found.completed).min() > -1e-10
    assert found.completed.shape == (5, 5)
    assert repaired(np.full((3, 3), np.nan)).completed.shape == (0, 0)


@pytest.mark.parametrize("matrix", [np.ones((2, 3)), np.array([[1.0, 0.5], [0.4, 1.0]])])
def test_what_is_no_symmetric_square_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a correlation matrix is"):
        repaired(matrix)
