r"""Matrix repair: the correlation matrix nearest to an estimate that is none, in the Frobenius norm.

Pairs that are estimated one by one (missing returns, Hayashi-Yoshida) need not form a positive
semidefinite matrix; a portfolio could then have a negative variance. Higham's alternating projections
find

.. math:: \min \lVert A - X \rVert_F \quad \text{with } X \succeq 0, \; x_{ii} = 1,

by projecting in turn on the semidefinite matrices (eigenvalues below 0 are put to 0), with Dykstra's
correction, and on those with a unit diagonal. At the end the diagonal is normalised exactly, which
moves the result by less than the tolerance. A matrix that is a correlation matrix comes back as it is.

Undefined: an instrument whose diagonal is NaN is left out and stays NaN. What else is NaN has no
estimate; the matrix is completed with 0 there, the choice that presumes nothing, repaired, and NaN
again afterwards: the repaired matrix is semidefinite in its completed form, which `completed` gives.

References
----------
Higham (2002), "Computing the nearest correlation matrix: a problem from finance", IMA Journal of
Numerical Analysis 22(3); Boyle and Dykstra (1986), "A method for finding projections onto the
intersection of convex sets in Hilbert spaces".
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats

TOLERANCE = 1e-9
"""The projections end when a round moves no entry by more."""

ROUNDS_MAX = 1_000
"""Rounds after which they end anyway; each costs an eigendecomposition, O(n^3)."""

NEGATIVE_MAX = 1e-12
"""Eigenvalues down to minus this, times n, are rounding."""


class Repaired(NamedTuple):
    """The nearest correlation matrix, and what it took."""

    matrix: Floats  # shape (n, n); NaN where the estimate was
    completed: (
        Floats  # shape (k, k): without instruments left out, 0 where there is no estimate: semidefinite
    )
    distance: float  # Frobenius norm of the change of the completed matrix
    rounds: int  # projections; 0 when nothing had to be done, ROUNDS_MAX when they did not come to rest


def repaired(correlation: Floats) -> Repaired:
    """Return the correlation matrix nearest to an estimate.

    Parameters
    ----------
    correlation
        Symmetric, shape ``(n, n)``, the diagonal 1 or NaN, entries in [-1, 1] or NaN.

    Raises
    ------
    ValueError
        When the matrix is not square and symmetric.

    Examples
    --------
    >>> estimate = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    >>> repaired(estimate).matrix.round(4).tolist()
    [[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]]
    """
    if correlation.ndim != 2 or correlation.shape[0] != correlation.shape[1]:
        raise ValueError(f"a correlation matrix is square, this one has the shape {correlation.shape}")
    if not np.allclose(correlation, correlation.T, rtol=0.0, atol=1e-12, equal_nan=True):
        raise ValueError("a correlation matrix is symmetric, this one is not: mirror one triangle first")
    known = np.isfinite(correlation.diagonal())
    estimate = correlation[np.ix_(known, known)]
    complete = np.where(np.isfinite(estimate), estimate, 0.0)
    nearest, rounds = _nearest(complete)
    whole = np.full(correlation.shape, np.nan)
    whole[np.ix_(known, known)] = np.where(np.isfinite(estimate), nearest, np.nan)
    return Repaired(whole, nearest, float(np.linalg.norm(nearest - complete)), rounds)


def _nearest(matrix: Floats) -> tuple[Floats, int]:
    """Return the nearest correlation matrix by alternating projections, and the rounds."""
    n = matrix.shape[0]
    if n == 0 or np.linalg.eigvalsh(matrix)[0] >= -NEGATIVE_MAX * n:
        return matrix, 0
    near, correction = matrix, np.zeros_like(matrix)
    rounds = 0
    while rounds < ROUNDS_MAX:
        rounds += 1
        begun = near - correction
        semidefinite = _semidefinite(begun)
        correction = semidefinite - begun
        before, near = near, semidefinite.copy()
        np.fill_diagonal(near, 1.0)
        if np.abs(near - before).max() <= TOLERANCE:
            break
    near = _semidefinite(near)
    size = np.sqrt(near.diagonal())
    near = near / np.outer(size, size)
    np.fill_diagonal(near, 1.0)
    return np.clip((near + near.T) / 2.0, -1.0, 1.0), rounds


def _semidefinite(matrix: Floats) -> Floats:
    """Return the nearest positive semidefinite matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    nearest: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return nearest
