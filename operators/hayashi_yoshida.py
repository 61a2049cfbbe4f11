r"""Hayashi-Yoshida: correlation of prices that tick at different times, without a grid, in [-1, 1].

Sampling on a grid pulls correlations of asynchronous prices towards 0 (the Epps effect). This
estimator needs no grid: each product of two returns whose half-open intervals overlap counts,

.. math:: H_{ij} = \sum_{k,l} r_i^k \, r_j^l \, 1[(s_i^k, t_i^k] \cap (s_j^l, t_j^l] \ne \emptyset],
   \qquad \rho_{ij} = H_{ij} / \sqrt{V_{ij} V_{ji}},

:math:`V_{ij}` the sum of squared returns of i that ended while j was open (had a price). It is exact
online with two accumulators a pair: when i ticks with return r,

.. math:: H_{ij} \leftarrow H_{ij} + r A_{ij}, \quad A_{ji} \leftarrow A_{ji} + r, \quad
   A_{ij} \leftarrow 0.

:math:`A_{ij}`, what j has moved since i ticked last, is kept as the path of j less its value at that
tick, so that a tick touches one row of each matrix and no column: O(n). With a half-life, a product
fades from the tick that completes it, and a square from its own.

- Instruments that tick at the same time are counted together; of one that ticks several times at one
  time the last price counts. So ticks wait until time has moved on (`flush` counts them at once), and
  the order of ticks of one time does not matter but for ticks of the same instrument.
- A late tick counts as simultaneous with the newest: time never runs backwards.
- A price that is not finite and positive closes its instrument: the return across it counts
  nowhere, and other instruments' squares do not count for its pairs until it is open again.
- The effective count is Kish's, :math:`(\sum w)^2 / \sum w^2`, over the squares in :math:`V_{ij}` or
  :math:`V_{ji}`, whichever is less. Below COUNT_MIN, and without variance, the correlation is NaN,
  never 0.0.

The estimator is consistent for asynchronous prices without noise. Under microstructure noise sampled
covariance can beat it (Griffin and Oomen), so feed it mid or micro-prices, not trades; and it misses
what one price follows another with a lag longer than its returns: on six recorded minutes BTC and ETH
have 0.09 from every single quote, 0.32 from the last of each 10 ms, 0.60 of each 50 ms and 0.66 of
each 100 ms, against 0.61 on a grid of 1 s. So thin quotes that come faster than prices follow.

Pairs are estimated one by one: single values may come out beyond 1 and are bounded, and the matrix
need not be positive semidefinite (see `matrix_repair`).

References
----------
Hayashi and Yoshida (2005), "On covariance estimation of non-synchronously observed diffusion
processes", Bernoulli 11(2); Griffin and Oomen (2011), "Covariance measurement in the presence of
non-synchronous trading and market microstructure noise", Journal of Econometrics 160(1);
Epps (1979), "Comovements in stock prices in the very short run", JASA 74(366).
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Floats, Ints, kernel

COUNT_MIN = 2.0
"""Effective returns of either instrument below which a correlation is undefined."""

HALF_LIVES_MAX = 256.0
"""Half-lives after which weights are scaled back by a power of two, which rounds nothing."""


LOG_PRICE, OPEN, PATH, WAITING = range(4)
"""Rows of ``Overlap.each``: log price at the last tick that was counted, 1 while it is usable and else
0, sum of all log returns, and the log price of the tick that waits (NaN when it is not usable)."""

PRODUCT, SQUARE, WEIGHT, WEIGHT_2 = range(4)
"""Of each half-life in ``Overlap.pair``: of instrument i and all j, the sum of the products that a tick
of i completed, of squared returns of i that ended while j was open, of their weights, of those squared."""


class Overlap(NamedTuple):
    """Sums over overlapping returns, for n instruments and h half-lives; few arrays, for speed."""

    each: Floats  # shape (4, n): LOG_PRICE, OPEN, PATH, WAITING
    pair: Floats  # shape (n, 1 + 4 h, n): [i, 0] path of all j when i ticked last; PRODUCT, SQUARE, …
    who: Ints  # shape (2, n): those that tick now, in the first places; 1 for each of them
    now: Ints  # shape (2,): time of the newest tick, how many instruments tick now
    unit_ns: Ints  # shape (h,): the time at which a product has the weight 1


def no_overlap(half_lives: int, instruments: int) -> Overlap:
    """Return the sums before the first tick."""
    each = np.zeros((4, instruments))
    each[LOG_PRICE] = each[WAITING] = np.nan
    return Overlap(
        each,
        np.zeros((instruments, 1 + 4 * half_lives, instruments)),
        np.zeros((2, instruments), np.int64),
        np.array([NEVER_NS, 0]),
        np.full(half_lives, NEVER_NS),
    )


def with_instruments(overlap: Overlap, instruments: int) -> Overlap:
    """Return the sums with room for at least ``instruments``; the new ones have not ticked."""
    have = overlap.who.shape[1]
    if instruments <= have:
        return overlap
    wider = no_overlap(overlap.unit_ns.size, instruments)
    wider.each[:, :have], wider.who[:, :have] = overlap.each, overlap.who
    wider.pair[:have, :, :have] = overlap.pair
    return wider._replace(now=overlap.now, unit_ns=overlap.unit_ns)


def with_half_lives(overlap: Overlap, sources: list[int | None]) -> Overlap:
    """Return sums of other half-lives: each those of a former one, by its place, or none yet.

    >>> with_half_lives(no_overlap(1, 2), [None, 0]).pair.shape
    (2, 9, 2)
    """
    chosen = no_overlap(len(sources), overlap.who.shape[1])
    chosen.pair[:, 0] = overlap.pair[:, 0]
    for new, old in enumerate(sources):
        if old is not None:
            chosen.pair[:, 1 + 4 * new : 5 + 4 * new] = overlap.pair[:, 1 + 4 * old : 5 + 4 * old]
            chosen.unit_ns[new] = overlap.unit_ns[old]
    return overlap._replace(pair=chosen.pair, unit_ns=chosen.unit_ns)


def without(overlap: Overlap, instrument: int) -> Overlap:
    """Return the sums (used up) in which one instrument has not ticked; no tick may wait (`flush`)."""
    overlap.pair[instrument] = overlap.pair[:, :, instrument] = 0.0
    overlap.each[:, instrument] = np.nan, 0.0, 0.0, np.nan
    return overlap


@kernel
def update(
    overlap: Overlap, event_ns: Ints, instrument: Ints, price: Floats, half_life_ns: Floats
) -> Overlap:
    """Return the sums after ticks.

    Parameters
    ----------
    overlap
        Used up; room for every instrument.
    event_ns, instrument, price
        The ticks in their order, shape ``(ticks,)``.
    half_life_ns
        Shape ``(h,)``, each above 0; infinite for equal weights.

    Examples
    --------
    >>> equal = np.array([np.inf])
    >>> event_ns, who = np.array([0, 1, 4, 5, 8, 9]), np.array([0, 1, 0, 1, 0, 1])
    >>> price = np.exp([0.0, 0.0, 1.0, 1.0, -1.0, -1.0])
    >>> overlap = flush(update(no_overlap(1, 2), event_ns, who, price, equal), equal)
    >>> covariance(overlap, np.array([0]), np.array([1])).tolist()  # 1 * 1 - 2 * 1 + -2 * -2
    [3.0]
    """
    each, pair, who, now, unit_ns = overlap
    for k in range(event_ns.size):
        if event_ns[k] > now[0]:
            if now[1] > 0:
                _count(each, pair, who, now, unit_ns, half_life_ns)
            now[0] = event_ns[k]
        i = instrument[k]
        if not who[1, i]:
            who[1, i] = 1
            who[0, now[1]] = i
            now[1] += 1
        each[WAITING, i] = np.log(price[k]) if 0.0 < price[k] < np.inf else np.nan
    return overlap


@kernel
def flush(overlap: Overlap, half_life_ns: Floats) -> Overlap:
    """Return the sums (used up) with the newest ticks counted, which then are complete."""
    each, pair, who, now, unit_ns = overlap
    if now[1] > 0:
        _count(each, pair, who, now, unit_ns, half_life_ns)
    return overlap


@kernel
def _count(each: Floats, pair: Floats, who: Ints, now: Ints, unit_ns: Ints, half_life_ns: Floats) -> None:
    """Count the ticks of the newest time."""
    size = now[1]
    for h in range(half_life_ns.size):
        unit = _unit(pair, h, now[0], unit_ns, half_life_ns[h])
        row = 1 + 4 * h
        for a in range(size):
            i = who[0, a]
            r = each[WAITING, i] - each[LOG_PRICE, i]
            if not np.isnan(r):
                _count_return(each, pair, i, row, r, unit)
        for a in range(1, size):
            i = who[0, a]
            for b in range(a):
                j = who[0, b]
                r_i, r_j = each[WAITING, i] - each[LOG_PRICE, i], each[WAITING, j] - each[LOG_PRICE, j]
                if not np.isnan(r_i * r_j):
                    pair[i, row + PRODUCT, j] += 0.5 * unit * (r_i * r_j)
                    pair[j, row + PRODUCT, i] += 0.5 * unit * (r_i * r_j)
    for a in range(size):
        i = who[0, a]
        r = each[WAITING, i] - each[LOG_PRICE, i]
        each[PATH, i] += 0.0 if np.isnan(r) else r
        each[LOG_PRICE, i] = each[WAITING, i]
        each[OPEN, i] = 0.0 if np.isnan(each[WAITING, i]) else 1.0
        who[1, i] = 0
    for a in range(size):
        i = who[0, a]
        for j in range(each.shape[1]):
            pair[i, 0, j] = each[PATH, j]
    now[1] = 0


@kernel
def _count_return(each: Floats, pair: Floats, i: int, row: int, r: float, unit: float) -> None:
    """Count a return of instrument i with what the others have moved since its tick before."""
    product, square, unit_2 = unit * r, unit * (r * r), unit * unit
    for j in range(each.shape[1]):
        pair[i, row + PRODUCT, j] += product * (each[PATH, j] - pair[i, 0, j])
        pair[i, row + SQUARE, j] += square * each[OPEN, j]
        pair[i, row + WEIGHT, j] += unit * each[OPEN, j]
        pair[i, row + WEIGHT_2, j] += unit_2 * each[OPEN, j]


@kernel
def _unit(pair: Floats, h: int, now_ns: int, unit_ns: Ints, half_life_ns: float) -> float:
    """Return the weight of a product that is completed now; scale all weights when it is too large."""
    if np.isinf(half_life_ns) or unit_ns[h] == NEVER_NS:
        unit_ns[h] = now_ns
        return 1.0
    half_lives = (now_ns - unit_ns[h]) / half_life_ns
    if half_lives > HALF_LIVES_MAX:
        whole = np.floor(half_lives)
        shrink = np.exp2(-whole)
        pair[:, 1 + 4 * h : 4 + 4 * h] *= shrink
        pair[:, 4 + 4 * h] *= shrink * shrink
        unit_ns[h] += np.int64(whole * half_life_ns)
        half_lives = (now_ns - unit_ns[h]) / half_life_ns
    return float(np.exp2(half_lives))


@kernel
def correlation(overlap: Overlap, first: Ints, second: Ints) -> tuple[Floats, Floats]:
    """Return correlation and effective number of returns of the pairs (first, second).

    Parameters
    ----------
    overlap
        Left as it is. Ticks of the newest time count once time has moved on, or after `flush`.
    first, second
        Instruments of each pair, two different ones, shape ``(pairs,)``.

    Returns
    -------
    correlation, effective_count
        Both of shape ``(half-lives, pairs)``.
    """
    half_lives, pairs = overlap.unit_ns.size, first.size
    result, count = np.full((half_lives, pairs), np.nan), np.zeros((half_lives, pairs))
    for h in range(half_lives):
        of = overlap.pair[:, 1 + 4 * h : 5 + 4 * h]
        for p in range(pairs):
            i, j = first[p], second[p]
            w_i, w_j = of[i, WEIGHT, j], of[j, WEIGHT, i]
            if w_i > 0.0 and w_j > 0.0:
                count[h, p] = min(w_i * w_i / of[i, WEIGHT_2, j], w_j * w_j / of[j, WEIGHT_2, i])
            square_i, square_j = of[i, SQUARE, j], of[j, SQUARE, i]
            if count[h, p] >= COUNT_MIN and square_i > 0.0 and square_j > 0.0:
                total = of[i, PRODUCT, j] + of[j, PRODUCT, i]
                value = total / np.sqrt(square_i) / np.sqrt(square_j)
                result[h, p] = 1.0 if value > 1.0 else max(value, -1.0)
    return result, count


@kernel
def covariance(overlap: Overlap, first: Ints, second: Ints) -> Floats:
    """Return the sum of the products of overlapping returns of the pairs, with equal weights.

    It estimates how the two log prices vary together over the whole time. Shape ``(pairs,)``, of the
    first half-life, which must be infinite.
    """
    result = np.empty(first.size)
    for p in range(first.size):
        i, j = first[p], second[p]
        result[p] = overlap.pair[i, 1 + PRODUCT, j] + overlap.pair[j, 1 + PRODUCT, i]
    return result
