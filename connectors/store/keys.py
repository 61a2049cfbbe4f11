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


def first_of_each(keys: Rows) -> Mask:
    """Return which keys appear here for the first time, shape ``(n,)``.

    >>> first_of_each(np.array([(7,), (8,), (7,)], [("id", "<i8")])).tolist()
    [True, True, False]
    """
    hashes = _hashes(keys)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    first = np.ones(keys.size, np.bool_)
    if not (ordered[1:] == ordered[:-1]).any():
        return first
    _, earliest = np.unique(_as_bytes(keys), return_index=True)
    first[:] = False
    first[earliest] = True
    return first


def absent(keys: Rows, known: Rows) -> Mask:
    """Return which keys are not among the known ones, shape ``(n,)``.

    >>> one, two = (np.array(ids, [("id", "<i8")]) for ids in ([7, 8], [8, 9]))
    >>> absent(one, two).tolist()
    [True, False]
    """
    if not keys.size or not known.size:
        return np.ones(keys.size, np.bool_)
    hashes, known_hashes = _hashes(keys), _hashes(known)
    order = np.argsort(known_hashes, kind="stable")
    at = np.minimum(np.searchsorted(known_hashes, hashes, sorter=order), known.size - 1)
    meets = known_hashes[order[at]] == hashes
    result: Mask = ~(meets & (_words(keys) == _words(known)[order[at]]).all(axis=1))
    collided = np.flatnonzero(meets & result)
    if collided.size:
        result[collided] = ~np.isin(_as_bytes(keys[collided]), _as_bytes(known))
    return result


def _hashes(keys: Rows) -> Hashes:
    words = _words(keys)
    mixed = np.zeros(keys.size, np.uint64)
    for column in range(words.shape[1]):
        mixed = (mixed ^ words[:, column]) * _MULTIPLIER
        mixed ^= mixed >> _SHIFT
    return mixed


def _words(keys: Rows) -> Hashes:
    return keys.view(np.uint64).reshape(keys.size, keys.dtype.itemsize // 8)


def _as_bytes(keys: Rows) -> "np.ndarray[Any, np.dtype[np.bytes_]]":
    """Return the keys as byte strings of one length, which numpy compares and sorts quickly."""
    return keys.view(f"S{keys.dtype.itemsize}")
