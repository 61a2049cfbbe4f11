r"""Cointegration: whether two log prices stay together, by Engle and Granger's test, as a p-value.

Two prices that each wander may keep a distance that does not. The test has two steps, over a window of
T common samples of log prices (first :math:`y`, second :math:`x`):

.. math:: y_t = \alpha + \beta x_t + e_t, \qquad
          \Delta e_t = \gamma e_{t-1} + \sum_{i=1}^{\text{lags}} \delta_i \Delta e_{t-i} + u_t, \qquad
          \tau = \hat\gamma / \operatorname{se}(\hat\gamma),

both by least squares. A :math:`\tau` far below zero says that what is left over, e, reverts. How far, is in
MacKinnon's response surfaces: the p-value is :math:`\Phi(c_0 + c_1 \tau + c_2 \tau^2 + \ldots)` with the
published coefficients for a regression with a constant, one set near the left tail and one for the rest.
`unit_root` is the same with a constant for one series (augmented Dickey–Fuller).

The p-value is the probability of so low a :math:`\tau` **when the two are not cointegrated**. Of many pairs
tested at 0.05 one in twenty passes by chance, and a test over a window says nothing of the time after
it. The result depends on which leg comes first; here it is the first of the pair, always. The number of
lags is given and not searched for by AIC: a constant cost, and a p-value that does not jump because
another number of lags won by a hair.

A sample that is not finite is missing. A row of the second regression of which a part is missing is
left out; nothing is bridged. Undefined is NaN: with fewer than ROWS_MIN rows, when a leg has not moved,
and when e is nothing but rounding (one leg is a copy of the other).

References
----------
Engle and Granger (1987), "Co-integration and error correction: representation, estimation, and
testing", Econometrica 55(2); Dickey and Fuller (1979), "Distribution of the estimators for
autoregressive time series with a unit root", JASA 74; MacKinnon (1994), "Approximate asymptotic
distribution functions for unit-root and cointegration tests", JBES 12(2).
"""

from math import erfc, sqrt

import numpy as np

from genesis.operators.arrays import Floats, Ints, kernel
from genesis.operators.parameters import within

ROWS_MIN = 30
"""Least number of complete rows of the regression, beside its coefficients."""

LAGS_MAX = 60
"""Most lags; the work grows with their square."""

DEVIATION_SHARE_MIN = 1e-12
"""A deviation below this share of the mean is rounding noise, thus zero."""

TAU_LIMITS = np.array([[-18.83, -1.61, 2.74], [-18.86, -2.62, 0.92]])
"""For one and two series: where p is 0, where the left tail ends, where p is 1."""

TAU_LEFT = np.array([[2.1659, 1.4412, 0.038269, 0.0], [2.92, 1.5012, 0.039796, 0.0]])
"""Coefficients in ascending powers of tau, left tail."""

TAU_RIGHT = np.array([[1.7339, 0.93202, -0.12745, -0.010368], [2.1945, 0.64695, -0.29198, -0.042377]])
"""Coefficients in ascending powers of tau, the rest."""


def lags_of(lags: int) -> int:
    """Return a valid number of lags.

    Raises
    ------
    ValueError
        When it is negative or above LAGS_MAX.

    Examples
    --------
    >>> lags_of(61)
    Traceback (most recent call last):
    ...
    ValueError: step 'cointegration': lags must be in [0, 60], was 61; give a few, such as 10
    """
    return int(within("cointegration", "lags", lags, (0, LAGS_MAX), "give a few, such as 10"))


@kernel
def _p_value(tau: float, series: int) -> float:
    """Return MacKinnon's approximate p-value of a statistic with a constant, for one or two series."""
    if np.isnan(tau):
        return np.nan
    limits = TAU_LIMITS[series - 1]
    if tau > limits[2]:
        return 1.0
    if tau < limits[0]:
        return 0.0
    surface = TAU_LEFT[series - 1] if tau <= limits[1] else TAU_RIGHT[series - 1]
    power = surface[0] + tau * (surface[1] + tau * (surface[2] + tau * surface[3]))
    return float(0.5 * erfc(-power / sqrt(2.0)))


@kernel
def _solved(matrix: Floats) -> bool:
    """Factor a symmetric matrix in place (Cholesky, lower part); say whether it is positive definite."""
    n = matrix.shape[0]
    for i in range(n):
        size = matrix[i, i]
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            if i > j:
                matrix[i, j] = value / matrix[j, j]
            elif value <= DEVIATION_SHARE_MIN * size or not np.isfinite(value):
                return False
            else:
                matrix[i, i] = np.sqrt(value)
    return True


@kernel
def _tau(level: Floats, lags: int, constant: bool) -> float:
    """Return the t-statistic of the coefficient of the level, NaN when it is undefined.

    The last column of the moments belongs to the dependent variable and the one before it to the level,
    so that after a Cholesky factorisation of all of them the last three entries are all that is needed:
    L[-1, -2] is coefficient times L[-2, -2], L[-1, -1] the root of the sum of squared residuals.
    """
    n = lags + 2 + (1 if constant else 0)
    moments, row = np.zeros((n, n)), np.ones(n)
    rows = 0
    for t in range(lags + 1, level.size):
        complete = np.isfinite(level[t])
        for i in range(1, lags + 2):
            complete &= np.isfinite(level[t - i])
        if not complete:
            continue
        rows += 1
        for i in range(lags):
            row[n - 3 - i] = level[t - 1 - i] - level[t - 2 - i]
        row[n - 2], row[n - 1] = level[t - 1], level[t] - level[t - 1]
        for i in range(n):
            for j in range(i + 1):
                moments[i, j] += row[i] * row[j]
    freedom = rows - (n - 1)
    if rows < ROWS_MIN + n - 1 or not _solved(moments):
        return np.nan
    return float(moments[n - 1, n - 2] / (moments[n - 1, n - 1] / np.sqrt(freedom)))


@kernel
def _centred(values: Floats, other: Floats) -> tuple[Floats, float]:
    """Return values about their mean in units of half their range, NaN where either is missing.

    So the sums neither overflow nor cancel, however large or small the values. The unit is returned too;
    0 stands for no movement.
    """
    there = np.isfinite(values) & np.isfinite(other)
    count, least = 0, np.inf
    most = -np.inf
    for t in range(values.size):
        if there[t]:
            count += 1
            least, most = min(least, values[t]), max(most, values[t])
    centred = np.full(values.size, np.nan)
    scale = most / 2.0 - least / 2.0
    noise = DEVIATION_SHARE_MIN * max(abs(least), abs(most))
    if count == 0 or not scale > noise:
        return centred, 0.0
    middle, mean = most / 2.0 + least / 2.0, 0.0
    for t in range(values.size):
        if there[t]:
            centred[t] = (values[t] - middle) / scale
            mean += centred[t] / count
    return centred - mean, scale


@kernel
def unit_root(series: Floats, lags: int) -> tuple[float, float]:
    """Return the augmented Dickey–Fuller statistic with a constant, and its p-value.

    Parameters
    ----------
    series
        Shape ``(samples,)``, oldest first, in any unit; what is not finite is missing.
    lags
        Lagged differences in the regression; from `lags_of`.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=500)
    >>> unit_root(noise, 1)[1] < 0.001, unit_root(np.cumsum(noise), 1)[1] > 0.1
    (True, True)
    """
    level, scale = _centred(series, series)
    if scale == 0.0:
        return np.nan, np.nan
    tau = _tau(level, lags, True)
    return tau, _p_value(tau, 1)


@kernel
def engle_granger(log_prices: Floats, first: Ints, second: Ints, lags: int) -> tuple[Floats, Floats]:
    """Return the statistic and the p-value of each pair.

    Parameters
    ----------
    log_prices
        Shape ``(samples, instruments)``, oldest first; what is not finite is missing.
    first, second
        Columns of the legs, shape ``(pairs,)``.
    lags
        Lagged differences in the second regression; from `lags_of`.

    Returns
    -------
    statistic, p_value
        Both of shape ``(pairs,)``; the p-value is in [0, 1].

    Examples
    --------
    >>> steps = np.random.default_rng(1).normal(size=(500, 2))
    >>> walk = np.cumsum(steps[:, 0])
    >>> prices = np.stack([2.0 * walk + steps[:, 1], walk, np.cumsum(steps[:, 1])], axis=1)
    >>> (engle_granger(prices, np.array([0, 1]), np.array([1, 2]), 2)[1] < 0.05).tolist()
    [True, False]
    """
    taus, p_values = np.full(first.size, np.nan), np.full(first.size, np.nan)
    for p in range(first.size):
        y, scale_y = _centred(log_prices[:, first[p]], log_prices[:, second[p]])
        x, scale_x = _centred(log_prices[:, second[p]], log_prices[:, first[p]])
        if scale_y == 0.0 or scale_x == 0.0:
            continue
        xx, xy, yy = 0.0, 0.0, 0.0
        for t in range(x.size):
            if np.isfinite(x[t]):
                xx, xy, yy = xx + x[t] * x[t], xy + x[t] * y[t], yy + y[t] * y[t]
        if yy - xy * xy / xx <= DEVIATION_SHARE_MIN * yy:
            continue
        taus[p] = _tau(y - xy / xx * x, lags, False)
        p_values[p] = _p_value(taus[p], 2)
    return taus, p_values
