"""Habits: how one simulated person trades on a usual day, drawn once from a population.

People differ more from each other than a person differs from day to day, so the population is wide and the
day narrow. Numbers that someone measured are cited; the others are choices that a reader may quarrel with,
and are kept wide for that reason.

References
----------
Dhakal, Feit, Kristensson and Oulasvirta (2018), Observations on typing from 136 million keystrokes, CHI:
intervals between keys of 239 ms on average with a deviation of 112 ms among people, corrections of 6 %.
Barabasi (2005), The origin of bursts and heavy tails in human dynamics, Nature 435: waits are heavy-tailed.
Odean (1998), Are investors reluctant to realize their losses?, J. Finance 53: a gain is realised at a rate
of 0.148 and a loss at 0.098, hence a ratio near 1.5.
Verbruggen et al. (2017), Winning and losing: effects on impulsive action, J. Exp. Psych. HPP 43, and Eben et
al. (2020), R. Soc. Open Sci. 7: people without any problem also go on a little faster after a loss.
"""

from typing import NamedTuple

import numpy as np

HOUR_S = 3_600.0


class Habits(NamedTuple):
    """What is usual for one person; each day and each act scatters around it."""

    look_gap_s: float  # between two looks at the market that may end in an order, median
    gap_spread: float  # of the logarithm
    entry_share: float  # of the looks that lead to an order when there is room
    size_share: float  # of the equity, an order, median
    size_spread: float  # of the logarithm
    round_to: float  # quote asset: people type round amounts
    hold_s: float  # median
    stop_ppm: int  # distance of the stop-loss
    target: float  # gain at which he sells, in distances of the stop
    think_s: float  # from the first key to sending, median
    think_spread: float
    key_ms: float  # between keys, median
    correction_share: float  # of keys that take one back
    edit_share: float  # of orders whose size is changed before they are sent
    preview_share: float  # of orders that are previewed
    preview_s: float
    abandon_share: float  # of previews that are left
    charts: float  # looked up at a look, mean
    screens: float  # changed at a look, mean
    rest_share: float  # of orders that wait in the book
    patience_s: float  # before such an order is cancelled
    start_s: float  # of the day, UTC
    start_spread_s: float
    session_s: float
    break_gap_s: float
    break_s: float
    positions_max: int
    disposition: float  # readiness to realise a gain over that to realise a loss
    pace_after_loss: float  # factor on the next gap, below 1 faster; of a calm person
    day_spread: float  # how much days differ, of the logarithm
    symbols: tuple[float, ...]  # how he likes each, sums to 1


def _around(rng: np.random.Generator, median: float, spread: float, low: float, high: float) -> float:
    """Return a log-normal draw within bounds."""
    return float(np.clip(median * np.exp(spread * rng.standard_normal()), low, high))


def drawn(rng: np.random.Generator, symbols: int) -> Habits:
    """Return the habits of a person.

    >>> one = drawn(np.random.default_rng(1), 4)
    >>> 60.0 <= one.key_ms <= 600.0, round(sum(one.symbols), 6)
    (True, 1.0)
    """
    likes = rng.dirichlet(np.full(symbols, 1.5))
    return Habits(
        look_gap_s=_around(rng, 420.0, 0.45, 150.0, 1_500.0),
        gap_spread=float(rng.uniform(0.7, 1.1)),
        entry_share=float(rng.uniform(0.3, 0.65)),
        size_share=_around(rng, 0.008, 0.4, 0.0035, 0.018),
        size_spread=float(rng.uniform(0.12, 0.4)),
        round_to=float(rng.choice([1.0, 5.0, 10.0, 20.0])),
        hold_s=_around(rng, 1_300.0, 0.6, 300.0, 6_000.0),
        stop_ppm=int(_around(rng, 6_500.0, 0.4, 2_500.0, 18_000.0)),
        target=float(rng.uniform(0.9, 2.2)),
        think_s=_around(rng, 9.0, 0.4, 4.0, 30.0),
        think_spread=float(rng.uniform(0.3, 0.6)),
        key_ms=_around(rng, 215.0, 0.4, 90.0, 600.0),
        correction_share=_around(rng, 0.06, 0.45, 0.01, 0.2),
        edit_share=float(rng.uniform(0.03, 0.25)),
        preview_share=float(rng.uniform(0.4, 0.95)),
        preview_s=_around(rng, 3.0, 0.4, 1.0, 10.0),
        abandon_share=float(rng.uniform(0.02, 0.15)),
        charts=float(rng.uniform(0.5, 4.0)),
        screens=float(rng.uniform(0.3, 2.5)),
        rest_share=float(rng.choice([0.0, 0.1, 0.3], p=[0.4, 0.35, 0.25])),
        patience_s=_around(rng, 240.0, 0.6, 30.0, 1_200.0),
        start_s=float(rng.uniform(6.5, 15.0)) * HOUR_S,
        start_spread_s=float(rng.uniform(0.1, 0.7)) * HOUR_S,
        session_s=float(rng.uniform(4.0, 7.5)) * HOUR_S,
        break_gap_s=_around(rng, 5_400.0, 0.3, 2_400.0, 10_000.0),
        break_s=_around(rng, 900.0, 0.6, 240.0, 3_600.0),
        positions_max=int(rng.integers(1, 4)),
        disposition=float(np.clip(rng.normal(1.5, 0.3), 0.9, 2.5)),
        pace_after_loss=float(np.clip(np.exp(rng.normal(0.0, 0.15)), 0.7, 1.5)),
        day_spread=float(rng.uniform(0.06, 0.22)),
        symbols=tuple(float(each) for each in likes),
    )
