"""Triangles: the lower half of a symmetric matrix, its diagonal included, as one vector.

Entry (i, j), j <= i, stands at ``i * (i + 1) / 2 + j``: row after row, as in ``np.tril_indices``.
Kernels return correlations so, each pair once, for half the memory of a square.
"""

import numpy as np

from genesis.operators.arrays import Floats, kernel

TILE = 16
"""Side of the tiles in which entries are mirrored, for the sake of the caches."""


@kernel
def square(triangle: Floats) -> Floats:
    """Return the symmetric matrix of a triangle.

    >>> square(np.array([1.0, 0.5, 1.0])).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    n = int(np.sqrt(2 * triangle.size))
    matrix = np.empty((n, n))
    begin = 0
    for i in range(n):
        matrix[i, : i + 1] = triangle[begin : begin + i + 1]
        begin += i + 1
    for top in range(0, n, TILE):
        for left in range(0, top + 1, TILE):
            for i in range(top, min(top + TILE, n)):
                for j in range(left, min(left + TILE, i)):
                    matrix[j, i] = matrix[i, j]
    return matrix


def triangle_of(matrix: Floats) -> Floats:
    """Return the lower half of a square matrix.

    >>> triangle_of(np.array([[1.0, 9.0], [0.5, 1.0]])).tolist()
    [1.0, 0.5, 1.0]
    """
    lower: Floats = matrix[np.tril_indices(matrix.shape[0])]
    return lower
