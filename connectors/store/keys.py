"""Row identities: which rows of a batch are new, decided exactly and without a loop over rows.

Keys are compared by 64-bit hashes first; only rows whose hashes meet are compared byte by byte. So
a repeat is always found, and a collision never costs a row.
"""

from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[np.void]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: odd, bits well spread
_SHIFT = np.uint64(29)


def key_dtype(rows: np.dtype[np.void], key: tuple[str, ...]) -> np.dtype[np.void]:
    """Return the packed layout of the key columns alone, padded to whole 8-byte words."""
    columns: list[tuple[str, Any]] = [(name, rows[name]) for name in key]
    spare = -np.dtype(columns).itemsize % 8
    return np.dtype([*columns, ("_spare", f"V{spare}")] if spare else columns)


def keys_of(rows: Rows, key: np.dtype[np.void]) -> Rows:
    """Return the key columns of the rows, packed, shape ``(n,)``."""
    packed = np.zeros(rows.size, key)
    for name in key.names or ():
        if name != "_spare":
            packed[name] = rows[name]
    return packed


def fresh(keys: Rows, known: Rows) -> Mask:
    """Return which keys are neither known nor repeats of an earlier one here, shape ``(n,)``.

    >>> one, two = (np.array(ids, [("id", "<i8")]) for ids in ([7, 8, 7], [8, 9]))
    >>> fresh(one, two).tolist()
    [True, False, False]
    """
    both = np.concatenate([known, keys])
    hashes = _hashes(both)
    order = np.argsort(hashes)
    meets = hashes[order[1:]] == hashes[order[:-1]]
    result = np.ones(keys.size, np.bool_)
    if not meets.any():
        return result
    met = np.zeros(both.size, np.bool_)
    met[order[1:][meets]] = met[order[:-1][meets]] = True
    suspects = np.flatnonzero(met)
    _, earliest = np.unique(_as_bytes(both[suspects]), return_index=True)
    repeats = np.ones(suspects.size, np.bool_)
    repeats[earliest] = False
    found = suspects[repeats] - known.size
    result[found[found >= 0]] = False
    return result


def _hashes(keys: Rows) -> Hashes:
    words = keys.view(np.uint64).reshape(keys.size, keys.dtype.itemsize // 8)
    mixed = np.zeros(keys.size, np.uint64)
    for column in range(words.shape[1]):
        mixed = (mixed ^ words[:, column]) * _MULTIPLIER
        mixed ^= mixed >> _SHIFT
    return mixed


def _as_bytes(keys: Rows) -> "np.ndarray[Any, np.dtype[np.bytes_]]":
    """Return the keys as byte strings of one length, which numpy compares and sorts quickly."""
    return keys.view(f"S{keys.dtype.itemsize}")
