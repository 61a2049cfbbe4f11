r"""Hedge ratio: how far one log price moves with another, and what is left over, the spread.

For a pair of log prices (first :math:`y`, second :math:`x`) the model is :math:`y = \alpha + \beta x`
plus a spread that reverts. Coefficients are least squares under exponential weights, a sample that is
``k`` samples old counting :math:`\lambda^k`, :math:`\lambda = 2^{-1/\text{half-life}}`:

.. math:: \beta = \frac{\sum w (x - \bar x)(y - \bar y)}{\sum w (x - \bar x)^2}, \qquad
          \text{spread}_t = (y_t - \bar y) - \beta (x_t - \bar x),

where means and :math:`\beta` are those **before** time t: nothing is known from the future, not even
from the present. :math:`\beta` is the value of the second held against one of the first, a pure number.

Why decayed least squares and not a Kalman filter: a filter in which :math:`\beta` is a random walk
needs two variances, of the walk and of the spread, which one path of prices does not tell apart
well, and with them the same filter can follow the spread itself until nothing is left over. One
half-life is a choice that can be stated, and the sums are exact, whatever is missing.

A pair of values of which one is not finite is missing: it teaches nothing and nothing is forgotten,
so weights age by samples, not by time. Undefined is NaN: with fewer than ``samples_min`` samples, and
while the second has not moved (deviation under DEVIATION_SHARE_MIN of its mean, which is rounding).

References
----------
Engle and Granger (1987), "Co-integration and error correction: representation, estimation, and
testing", Econometrica 55(2); Montana, Triantafyllopoulos and Tsagaris (2009), "Flexible least squares
for temporal data mining and statistical arbitrage", Expert Systems with Applications 36(2), has the
filter; West (1979), "Updating mean and variance estimates: an improved method", CACM 22(9), the sums.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Floats, Ints, kernel
from genesis.operators.parameters import positive, within

DEVIATION_SHARE_MIN = 1e-12
"""A deviation below this share of the mean is rounding noise, thus zero."""


class Regression(NamedTuple):
    """Decayed moments of every pair, each of shape (pairs,)."""

    samples: Ints  # not decayed
    weight: Floats  # sum of w
    mean_first: Floats
    mean_second: Floats
    second_2: Floats  # sum of w (x - mean)^2
    product: Floats  # sum of w (x - mean) (y - mean)


class HedgeParameters(NamedTuple):
    """Parameters of the regression; made by `parameters`."""

    decay: float  # of a weight, a sample
    samples_min: int


def parameters(half_life: float, samples_min: int = 30) -> HedgeParameters:
    """Return valid parameters.

    Parameters
    ----------
    half_life
        Samples after which a sample counts half.
    samples_min
        Samples before the first coefficient.

    Raises
    ------
    ValueError
        When the half-life is not positive, or fewer than 3 samples would do.
    """
    positive("hedge_ratio", "half_life", half_life, "give the half-life in samples")
    within("hedge_ratio", "samples_min", samples_min, (3, 2**31), "two points always lie on a line")
    return HedgeParameters(float(np.exp2(-1.0 / half_life)), int(samples_min))


def no_regression(pairs: int = 0) -> Regression:
    """Return the state before the first sample."""
    return Regression(np.zeros(pairs, np.int64), *(np.zeros(pairs) for _ in Regression._fields[1:]))


@kernel
def spread(
    regression: Regression, first: Floats, second: Floats, learn: Bools, parameters: HedgeParameters
) -> tuple[Regression, Floats, Floats]:
    """Return the state after the cells, and hedge ratio and spread in each, known from before it.

    Parameters
    ----------
    regression
        Used up; room for n pairs.
    first, second
        Log prices of the legs, shape ``(cells, n)``, oldest first; what is not finite is missing.
    learn
        Which cells are samples, shape ``(cells,)``; the others are only looked at.
    parameters
        From `parameters`.

    Returns
    -------
    regression, hedge_ratio, spread
        Both of shape ``(cells, n)``; the spread is a difference of logarithms: 0.01 is 1 %.

    Examples
    --------
    >>> second = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> learn = np.ones(4, np.bool_)
    >>> _, ratio, left = spread(no_regression(1), 2.0 * second, second, learn, parameters(9, 3))
    >>> ratio[3].tolist(), left[3].round(12).tolist()
    ([2.0], [0.0])
    """
    samples, weight, mean_first, mean_second, second_2, product = regression
    cells, n = first.shape
    ratios, spreads = np.full((cells, n), np.nan), np.full((cells, n), np.nan)
    for cell in range(cells):
        for p in range(n):
            d_first, d_second = first[cell, p] - mean_first[p], second[cell, p] - mean_second[p]
            noise = DEVIATION_SHARE_MIN * mean_second[p]
            if samples[p] >= parameters.samples_min and second_2[p] > weight[p] * noise * noise:
                ratio = product[p] / second_2[p]
                if np.isfinite(ratio):
                    ratios[cell, p] = ratio
                    left = d_first - ratio * d_second
                    spreads[cell, p] = left if np.isfinite(left) else np.nan
            if learn[cell] and np.isfinite(d_first) and np.isfinite(d_second):
                old = parameters.decay * weight[p]
                weight[p] = old + 1.0
                samples[p] += 1
                mean_first[p] += d_first / weight[p]
                mean_second[p] += d_second / weight[p]
                share = old / weight[p]
                second_2[p] = parameters.decay * second_2[p] + share * d_second * d_second
                product[p] = parameters.decay * product[p] + share * d_first * d_second
    return regression, ratios, spreads
