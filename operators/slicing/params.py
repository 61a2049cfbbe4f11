"""Params: what can be asked of slicing, checked once.

A rule of a tier is a parameter: "orders over $200 in at least 3 slices" is ``slices_min=3``, which the
plan keeps or refuses. Shares are parts per million (ppm).
"""

import math
from dataclasses import dataclass

from genesis.operators.slicing.orders import PPM, Algorithm

SLICES_MAX = 10_000
"""Most slices of one order."""

HORIZON_NS_MAX = 7 * 86_400 * 10**9
"""Longest horizon, ns: a week."""


@dataclass(frozen=True, slots=True)
class Adaptivity:
    """How an order departs from its schedule: urgency moves its clock ahead or back.

    Urgency lies in [-1, 1]: the gain of the price since arrival over ``favourable_full_ppm``, minus how
    far the spread is above the usual one over ``widening_full_ppm``; 0 leaves a term out. An order that
    lags, in slices whose time is over, loses so much of its patience, down to none: it follows the
    schedule again, as any order does in its last interval. Full urgency moves the clock by ``lead_slots``
    intervals.
    """

    favourable_full_ppm: int = 500  # 5 bps
    widening_full_ppm: int = 2 * PPM  # three times the usual spread
    lead_slots: float = 1.0


@dataclass(frozen=True, slots=True)
class Params:
    """What is asked of one order.

    Attributes
    ----------
    algorithm
        How it is cut.
    horizon_ns
        Time from start to the end of the schedule, ns; POV and iceberg stop there.
    slices
        Slices wanted: of the schedule; for POV and iceberg it sets the usual size of a child.
    slices_min
        Fewer are refused, 1 by default; up to ``slices``, and 1 for one order.
    size_variation_ppm, time_variation_ppm
        Chance in [-v, v] of a slice's size and time, as a share of size and interval; up to 500,000.
    participation_max_ppm
        Largest share of all volume, our own included; 1,000,000 sets no limit.
    rate_ppm
        POV: share of all volume aimed at, at most ``participation_max_ppm``.
    slippage_max_ppm
        The order is aborted, and never pays, beyond this distance from the arrival price.
    delay_min_ns, delay_max_ns
        Iceberg: wait before the next tip.
    patience_ns
        How long a child rests at the best price of its own side before it crosses; 0 always crosses.
    cross_spread_ticks, cross_depth_ppm
        Crossing is cheap, so it is done at once, when the spread is at most this and the child at most
        this share of what stands at the best price.
    adaptivity
        None keeps to the schedule.
    volume_shares
        VWAP: expected volume of equal parts of the horizon, in any unit; empty is a flat curve.
    volume_prior_ppm
        VWAP: weight of the learned level of volume against the observed one, as a share of the
        horizon's volume; 0 follows the learned curve as it is.
    half_life_ns
        SHORTFALL: Almgren and Chriss's 1/κ; `almgren_chriss.half_life_ns` computes it.
    grace_ns
        Time after the horizon in which what is left of a schedule may still trade.
    notional_margin_ppm
        How far above the venue's minimum a child must be, since prices move.

    Raises
    ------
    ValueError
        With a sentence that names the parameter, the rule and the value.

    Examples
    --------
    >>> Params(Algorithm.TWAP, horizon_ns=60 * 10**9, slices=0)
    Traceback (most recent call last):
    ...
    ValueError: slicing: slices must be in [1, 10000], was 0; ask for at least one slice
    """

    algorithm: Algorithm
    horizon_ns: int
    slices: int = 10
    slices_min: int = 1
    size_variation_ppm: int = 200_000
    time_variation_ppm: int = 200_000
    participation_max_ppm: int = 100_000
    rate_ppm: int = 50_000
    slippage_max_ppm: int = 5_000
    delay_min_ns: int = 10**9
    delay_max_ns: int = 5 * 10**9
    patience_ns: int = 0
    cross_spread_ticks: int = 0
    cross_depth_ppm: int = 0
    adaptivity: Adaptivity | None = None
    volume_shares: tuple[float, ...] = ()
    volume_prior_ppm: int = 200_000
    half_life_ns: int = 60 * 10**9
    grace_ns: int = 0
    notional_margin_ppm: int = 10_000

    def __post_init__(self) -> None:
        """Check everything."""
        _within("horizon_ns", self.horizon_ns, 1, HORIZON_NS_MAX, "give nanoseconds, up to a week")
        _within("slices", self.slices, 1, SLICES_MAX, "ask for at least one slice")
        most = 1 if self.algorithm is Algorithm.ONE else self.slices
        _within("slices_min", self.slices_min, 1, most, "ask for as many slices, and not for one order")
        for name in ("size_variation_ppm", "time_variation_ppm"):
            _within(name, getattr(self, name), 0, PPM // 2, "vary by at most half")
        _within("participation_max_ppm", self.participation_max_ppm, 1, PPM, "give a share of all volume")
        if self.algorithm is Algorithm.POV:
            most = min(self.participation_max_ppm, PPM - 1)
            _within("rate_ppm", self.rate_ppm, 1, most, "aim at no more than participation_max_ppm")
        _within("slippage_max_ppm", self.slippage_max_ppm, 1, PPM // 2, "give a distance from arrival")
        _within("delay_min_ns", self.delay_min_ns, 0, self.delay_max_ns, "begin below delay_max_ns")
        for name in ("delay_max_ns", "patience_ns", "grace_ns"):
            _within(name, getattr(self, name), 0, HORIZON_NS_MAX, "give nanoseconds, up to a week")
        _within("cross_spread_ticks", self.cross_spread_ticks, 0, 2**40, "give ticks")
        _within("cross_depth_ppm", self.cross_depth_ppm, 0, PPM, "give a share of the best quantity")
        _within("volume_prior_ppm", self.volume_prior_ppm, 0, 100 * PPM, "give a share of the volume")
        _within("half_life_ns", self.half_life_ns, 1, 2**62, "give nanoseconds")
        _within("notional_margin_ppm", self.notional_margin_ppm, 0, PPM, "give a share of the minimum")
        if self.adaptivity is not None:
            _within("lead_slots", self.adaptivity.lead_slots, 0, 10, "move the clock by a few slices")
            for name in ("favourable_full_ppm", "widening_full_ppm"):
                _within(name, getattr(self.adaptivity, name), 0, 100 * PPM, "0 leaves the term out")
        if self.volume_shares and not (
            len(self.volume_shares) <= SLICES_MAX
            and all(math.isfinite(each) and each >= 0.0 for each in self.volume_shares)
            and 0.0 < sum(self.volume_shares) < math.inf
        ):
            raise ValueError(
                "slicing: volume_shares must be finite, none negative and not all 0, "
                f"were {self.volume_shares[:5]}…; leave them out for a flat curve"
            )


def _within(name: str, value: float, least: float, most: float, remedy: str) -> None:
    if not least <= value <= most:
        raise ValueError(f"slicing: {name} must be in [{least}, {most}], was {value}; {remedy}")
