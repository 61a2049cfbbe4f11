r"""Almgren–Chriss: the schedule that weighs the cost of haste against the risk of waiting, in closed form.

To trade :math:`X` in :math:`N` periods of length :math:`\tau`, with price variance :math:`\sigma^2` per
unit of time, permanent impact :math:`\gamma` and temporary impact :math:`\eta` (price per unit of rate),
the expected cost plus :math:`\lambda` times its variance is least for the holdings

.. math::

    x_j = X \frac{\sinh \kappa (T - t_j)}{\sinh \kappa T}, \qquad
    \frac{2}{\tau^2} (\cosh \kappa \tau - 1) = \tilde\kappa^2 = \frac{\lambda \sigma^2}{\tilde\eta}, \qquad
    \tilde\eta = \eta - \gamma \tau / 2,

after period :math:`j`, :math:`t_j = j \tau`, :math:`T = N \tau`. All depends on :math:`\kappa` alone: its
inverse is the order's half-life (in which a long order falls to 1/e of itself). Without aversion to risk
(:math:`\lambda = 0`) the half-life is infinite, and the schedule is TWAP.

References
----------
Almgren and Chriss (2001), "Optimal execution of portfolio transactions", Journal of Risk 3(2).
"""

import math
from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats
from genesis.operators.parameters import positive, within


class Costs(NamedTuple):
    """What trading costs, in any one set of units of price, quantity and time."""

    volatility: float  # σ: price per square root of time
    temporary: float  # η: price per (quantity per time)
    permanent: float  # γ: price per quantity
    risk_aversion: float  # λ: per price times quantity


def half_life(costs: Costs, period: float) -> float:
    """Return 1/κ in the unit of time of ``costs``; infinite without aversion to risk.

    Raises
    ------
    ValueError
        When a period or cost is out of range, or the permanent impact leaves no temporary one.

    Examples
    --------
    >>> round(half_life(Costs(0.95, 2.5e-6, 2.5e-7, 1e-6), period=1.0), 2)
    1.65
    """
    positive("slicing", "period", period, "give the time between two slices")
    for name in ("volatility", "permanent", "risk_aversion"):
        within("slicing", name, getattr(costs, name), (0.0, math.inf), "give a number from 0 up")
    eta = costs.temporary - costs.permanent * period / 2.0
    positive("slicing", "temporary - permanent * period / 2", eta, "take shorter periods")
    kappa_2 = costs.risk_aversion * costs.volatility**2 / eta
    if kappa_2 == 0.0:
        return math.inf
    return period / (2.0 * math.asinh(0.5 * period * math.sqrt(kappa_2)))


def trades(periods: int, horizon_half_lives: float) -> Floats:
    r"""Return the share of the order to trade in each period, shape ``(periods,)``; their sum is 1.

    Parameters
    ----------
    periods
        Number of periods, at least 1.
    horizon_half_lives
        :math:`\kappa T`, from 0 (TWAP) up; infinite trades all at once.

    Examples
    --------
    >>> trades(4, 0.0).tolist()
    [0.25, 0.25, 0.25, 0.25]
    >>> trades(4, 4.0).round(3).tolist()
    [0.633, 0.234, 0.09, 0.043]
    """
    within("slicing", "horizon_half_lives", horizon_half_lives, (0.0, math.inf), "give a number from 0 up")
    held = holdings(periods, horizon_half_lives)
    return held[:-1] - held[1:]


def holdings(periods: int, horizon_half_lives: float) -> Floats:
    r"""Return the share still held at the times 0, τ, …, T, shape ``(periods + 1,)``.

    Written with falling exponentials, :math:`e^{-\kappa t} (1 - e^{-2\kappa(T-t)}) / (1 - e^{-2\kappa T})`,
    which cannot overflow.

    >>> holdings(2, 2.0).round(4).tolist()
    [1.0, 0.324, 0.0]
    """
    passed: Floats = np.arange(periods + 1) / periods
    if horizon_half_lives < 1e-8:  # where the sinh is its argument to the last digit
        return np.asarray(1.0 - passed)
    if math.isinf(horizon_half_lives):
        return np.where(np.equal(passed, 0.0), 1.0, 0.0)
    left = np.expm1(-2.0 * horizon_half_lives * (1.0 - passed)) / np.expm1(-2.0 * horizon_half_lives)
    return np.asarray(np.exp(-horizon_half_lives * passed) * left)
