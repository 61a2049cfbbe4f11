r"""Half-life: how long half of a deviation of a mean-reverting series takes to fade, in samples.

The series is taken for an Ornstein–Uhlenbeck process, :math:`ds = \theta (\mu - s)\,dt + \sigma\,dW`.
Looked at once a sample it is an autoregression whose coefficient is estimated by least squares under
exponential weights :math:`w`, one that is ``k`` samples old counting :math:`2^{-k/\text{half-life}}`:

.. math:: s_t = c + \varphi s_{t-1} + u_t, \qquad
          \varphi = \frac{\sum w (s_{t-1} - \bar s_{-1})(s_t - \bar s)}{\sum w (s_{t-1} - \bar s_{-1})^2},
          \qquad \text{half-life} = \frac{\ln 2}{-\ln \varphi}.

It is inf when :math:`\varphi \ge 1`, no reversion, and 0 when :math:`\varphi \le 0`: a deviation is gone
before the next sample. Least squares finds :math:`\varphi` too low by about :math:`(1 + 3\varphi)/n` over n
samples (Kendall): a random walk, too, seems to revert, in about a seventh of the window. So a half-life
says how fast, and never whether: for that there is `cointegration`.

Two values count as neighbours only when no sample lies between them: a missing (not finite) one breaks
the chain and is not bridged. Undefined is NaN: with fewer than ``samples_min`` neighbours, and without
a deviation (below DEVIATION_SHARE_MIN of the mean, which is rounding).

References
----------
Uhlenbeck and Ornstein (1930), "On the theory of the Brownian motion", Physical Review 36; Kendall
(1954), "Note on bias in the estimation of autocorrelation", Biometrika 41.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Floats, Ints, kernel
from genesis.operators.parameters import positive, within

DEVIATION_SHARE_MIN = 1e-12
"""A deviation below this share of the mean is rounding noise, thus zero."""


class Neighbours(NamedTuple):
    """Decayed moments of neighbouring samples of every series, each of shape (n,)."""

    samples: Ints  # pairs of neighbours, not decayed
    newest: Floats  # the newest sample; NaN before the first and after a missing one
    weight: Floats  # sum of w
    mean_before: Floats  # of the earlier of two neighbours
    mean_after: Floats  # of the later
    square: Floats  # sum of w (before - mean)^2
    product: Floats  # sum of w (before - mean) (after - mean)


class HalfLifeParameters(NamedTuple):
    """Parameters of the estimate; made by `parameters`."""

    decay: float  # of a weight, a sample
    samples_min: int


def parameters(half_life: float, samples_min: int = 30) -> HalfLifeParameters:
    """Return valid parameters.

    Parameters
    ----------
    half_life
        Of the weights: samples after which a sample counts half.
    samples_min
        Neighbours before the first estimate.

    Raises
    ------
    ValueError
        When the half-life is not positive, or fewer than 3 neighbours would do.
    """
    positive("half_life", "half_life", half_life, "give the half-life of the weights in samples")
    within("half_life", "samples_min", samples_min, (3, 2**31), "two points always lie on a line")
    return HalfLifeParameters(float(np.exp2(-1.0 / half_life)), int(samples_min))


def no_neighbours(series: int = 0) -> Neighbours:
    """Return the state before the first sample."""
    moments = (np.zeros(series) for _ in range(5))
    return Neighbours(np.zeros(series, np.int64), np.full(series, np.nan), *moments)


@kernel
def half_life(
    neighbours: Neighbours, values: Floats, learn: Bools, parameters: HalfLifeParameters
) -> tuple[Neighbours, Floats]:
    """Return the state after the cells, and the half-life in each, in samples.

    Parameters
    ----------
    neighbours
        Used up; room for n series.
    values
        Shape ``(cells, n)``, oldest first, in any unit; what is not finite is missing.
    learn
        Which cells are samples, shape ``(cells,)``; in the others the estimate stays as it is.
    parameters
        From `parameters`.

    Returns
    -------
    neighbours, half_life
        The half-life has the shape ``(cells, n)`` and is in [0, inf]; it knows the cell itself.

    Examples
    --------
    >>> fading = np.array([[8.0], [4.0], [2.0], [1.0]])
    >>> half_life(no_neighbours(1), fading, np.ones(4, np.bool_), parameters(9, 3))[1].round(9).tolist()
    [[nan], [nan], [nan], [1.0]]
    """
    samples, newest, weight, mean_before, mean_after, square, product = neighbours
    cells, n = values.shape
    found = np.full((cells, n), np.nan)
    for cell in range(cells):
        for i in range(n):
            if learn[cell]:
                d_before, d_after = newest[i] - mean_before[i], values[cell, i] - mean_after[i]
                newest[i] = values[cell, i] if np.isfinite(values[cell, i]) else np.nan
                if np.isfinite(d_before) and np.isfinite(d_after):
                    old = parameters.decay * weight[i]
                    weight[i] = old + 1.0
                    samples[i] += 1
                    mean_before[i] += d_before / weight[i]
                    mean_after[i] += d_after / weight[i]
                    share = old / weight[i]
                    square[i] = parameters.decay * square[i] + share * d_before * d_before
                    product[i] = parameters.decay * product[i] + share * d_before * d_after
            noise = DEVIATION_SHARE_MIN * mean_before[i]
            if samples[i] >= parameters.samples_min and square[i] > weight[i] * noise * noise:
                slope = product[i] / square[i]
                if slope >= 1.0:
                    found[cell, i] = np.inf
                elif slope > 0.0:
                    found[cell, i] = np.log(2.0) / -np.log(slope)
                elif slope <= 0.0:
                    found[cell, i] = 0.0
    return neighbours, found
