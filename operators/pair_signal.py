r"""Pair signal: which leg of a pair to hold, entered beyond two deviations, with a confidence in [0, 1].

The spread is first minus second, so with a z-score far below zero the first leg is cheap: hold it
(HOLD_FIRST). Far above zero the second is cheap: hold that (HOLD_SECOND). Otherwise neither is preferred
(NEITHER). On spot the money rotates from one leg into the other and nothing is sold short; where short
positions are allowed the other leg may be sold against it, ``hedge_ratio`` of value to one.

- *enter* when :math:`\text{enter} \le |z| < \text{stop}` and the confidence is at least ``confidence_min``;
- *leave* when the z-score is back within ``leave`` of zero, or beyond zero. Enter and leave lie apart,
  so a score that wavers at one threshold does not flicker;
- *stop* when :math:`|z| \ge \text{stop}` on the losing side: the relation has broken. After a stop the
  pair is barred until the score has been back within ``leave``.

Confidence, a product of what must all be there and **not** a probability of profit:

.. math:: c = \left(1 - \frac{p}{p_{\max}}\right)^{+} \cdot 2^{-h/h_{\max}} \cdot
              \operatorname{erf}\!\left(\frac{|z|}{\sqrt 2}\right)

with the p-value :math:`p` of the cointegration test, the half-life :math:`h` of reversion, both halving or
ending the confidence at a stated value, and the share of a normal variable that lies nearer to its mean
than :math:`z`. It is NaN when one of the three is undefined. With an undefined z-score the signal stays as
it is: our own blindness is no reason to trade; with an undefined confidence nothing is entered.

References
----------
Gatev, Goetzmann and Rouwenhorst (2006), "Pairs trading: performance of a relative-value arbitrage
rule", Review of Financial Studies 19(3), for entry at two deviations; the confidence is ours.
"""

from math import erf, sqrt
from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Floats, Ints, kernel
from genesis.operators.parameters import positive, within
from genesis.operators.records import PairSignal

NEITHER, HOLD_FIRST, HOLD_SECOND = (int(signal) for signal in PairSignal)


class Signals(NamedTuple):
    """The signal of every pair, each of shape (pairs,)."""

    signal: Ints  # a PairSignal
    previous: Ints  # the one before
    since_ns: Ints  # end of the cell in which it was taken; 0 before the first cell
    barred: Bools  # stopped, and not yet back


class SignalParameters(NamedTuple):
    """Parameters of the signal; made by `parameters`."""

    enter: float  # standard deviations
    leave: float  # standard deviations
    stop: float  # standard deviations
    p_value_max: float  # where confidence ends
    half_life_max: float  # in samples, where confidence is halved
    confidence_min: float


def parameters(
    half_life_max: float,
    thresholds: tuple[float, float, float] = (0.5, 2.0, 4.0),
    p_value_max: float = 0.1,
    confidence_min: float = 0.1,
) -> SignalParameters:
    """Return valid parameters.

    Parameters
    ----------
    half_life_max
        Half-life of reversion, in samples, at which the confidence is halved.
    thresholds
        z-scores to leave, to enter and to stop at, ascending.
    p_value_max
        p-value of the cointegration test at which confidence ends, in (0, 1].
    confidence_min
        Least confidence to enter with, in [0, 1].

    Raises
    ------
    ValueError
        When one of them is out of its range, or the thresholds do not ascend.
    """
    positive("pair_signal", "half_life_max", half_life_max, "give a half-life in samples")
    positive("pair_signal", "p_value_max", p_value_max, "give a p-value such as 0.1")
    within("pair_signal", "p_value_max", p_value_max, (0.0, 1.0), "give a p-value such as 0.1")
    within("pair_signal", "confidence_min", confidence_min, (0.0, 1.0), "give a share")
    leave, enter, stop = thresholds
    if not 0.0 <= leave < enter < stop:
        raise ValueError(
            "step 'pair_signal': thresholds must ascend from leave to enter to stop, none negative, were "
            f"{thresholds}; give for example (0.5, 2.0, 4.0)"
        )
    return SignalParameters(enter, leave, stop, p_value_max, float(half_life_max), confidence_min)


def no_signals(pairs: int = 0) -> Signals:
    """Return the state before the first cell."""
    signal, previous, since_ns = (np.zeros(pairs, np.int64) for _ in range(3))
    return Signals(signal, previous, since_ns, np.zeros(pairs, np.bool_))


@kernel
def _confidence(zscore: float, p_value: float, half_life: float, parameters: SignalParameters) -> float:
    """Return the confidence, NaN when something is undefined."""
    if np.isnan(zscore) or np.isnan(p_value) or np.isnan(half_life):
        return np.nan
    related = max(1.0 - p_value / parameters.p_value_max, 0.0)
    return float(related * 2.0 ** (-half_life / parameters.half_life_max) * erf(abs(zscore) / sqrt(2.0)))


@kernel
def _next(now: int, barred: bool, zscore: float, confidence: float, parameters: SignalParameters) -> int:
    """Return the signal after a defined z-score."""
    if now == HOLD_FIRST and (zscore >= -parameters.leave or zscore <= -parameters.stop):
        now = NEITHER
    if now == HOLD_SECOND and (zscore <= parameters.leave or zscore >= parameters.stop):
        now = NEITHER
    size = abs(zscore)
    enters = parameters.enter <= size < parameters.stop and confidence >= parameters.confidence_min
    if now == NEITHER and enters and not barred:
        return HOLD_SECOND if zscore > 0.0 else HOLD_FIRST
    return now


@kernel
def signal(
    signals: Signals,
    end_ns: Ints,
    evidence: tuple[Floats, Floats, Floats],
    parameters: SignalParameters,
) -> tuple[Signals, Ints, Floats]:
    """Return the state after the cells, and signal and confidence in each.

    Parameters
    ----------
    signals
        Used up; room for n pairs.
    end_ns
        End of each cell, shape ``(cells,)``, oldest first.
    evidence
        z-score, p-value and half-life in samples, each of shape ``(cells, n)``, NaN while undefined.
    parameters
        From `parameters`.

    Returns
    -------
    signals, signal, confidence
        Both of shape ``(cells, n)``.

    Examples
    --------
    >>> score = np.array([[-2.1], [-1.0], [-0.4]])
    >>> sure = np.zeros((3, 1))
    >>> _, held, confidence = signal(no_signals(1), np.arange(3), (score, sure, sure), parameters(60.0))
    >>> held.ravel().tolist(), confidence.round(3).ravel().tolist()
    ([1, 1, 0], [0.964, 0.683, 0.311])
    """
    held, previous, since_ns, barred = signals
    zscores, p_values, half_lives = evidence
    cells, n = zscores.shape
    shown, confidences = np.empty((cells, n), np.int64), np.full((cells, n), np.nan)
    for cell in range(cells):
        for p in range(n):
            score = zscores[cell, p]
            if since_ns[p] == 0:
                since_ns[p] = end_ns[cell]
            if not np.isnan(score):
                confidence = _confidence(score, p_values[cell, p], half_lives[cell, p], parameters)
                confidences[cell, p] = confidence
                after = _next(held[p], barred[p], score, confidence, parameters)
                if abs(score) >= parameters.stop:
                    barred[p] = True
                elif abs(score) <= parameters.leave:
                    barred[p] = False
                if after != held[p]:
                    previous[p], held[p], since_ns[p] = held[p], after, end_ns[cell]
            shown[cell, p] = held[p]
    return signals, shown, confidences
