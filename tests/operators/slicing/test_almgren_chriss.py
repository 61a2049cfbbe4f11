"""The closed form is the optimum of the discrete problem, solved directly as a quadratic programme."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from genesis.operators.slicing import almgren_chriss
from genesis.operators.slicing.almgren_chriss import Costs


def direct(costs: Costs, periods: int, period: float) -> np.ndarray:
    """Return the trades that minimise expected cost plus risk aversion times variance, by its KKT system.

    Expected cost of trades n (the sum is 1): permanent impact γ τ Σ (n_k/τ) x_k, temporary Σ (η/τ) n_k²;
    variance σ² τ Σ x_k²; x_k is held after period k.
    """
    left = 1.0 - np.tri(periods)  # x = left @ n, for trades that sum to 1
    hessian = 2.0 * costs.temporary / period * np.eye(periods)
    hessian += costs.permanent * (left + left.T)
    hessian += 2.0 * costs.risk_aversion * costs.volatility**2 * period * left.T @ left
    system = np.block([[hessian, np.ones((periods, 1))], [np.ones((1, periods)), np.zeros((1, 1))]])
    return np.linalg.solve(system, np.append(np.zeros(periods), 1.0))[:-1]


costs = st.builds(
    Costs,
    volatility=st.floats(0.1, 2.0),
    temporary=st.floats(1e-6, 1e-5),
    permanent=st.floats(0.0, 5e-7),
    risk_aversion=st.sampled_from([0.0, 1e-8, 1e-7, 1e-6, 1e-5]),
)


@given(costs, st.integers(1, 25), st.sampled_from([0.1, 0.5, 1.0]))
def test_it_is_what_the_quadratic_programme_finds(costs: Costs, periods: int, period: float) -> None:
    kappa_horizon = periods * period / almgren_chriss.half_life(costs, period)
    np.testing.assert_allclose(
        almgren_chriss.trades(periods, kappa_horizon), direct(costs, periods, period), rtol=1e-6, atol=1e-9
    )


def test_it_is_what_a_general_optimiser_finds() -> None:
    """The same, by a solver that knows nothing of the problem's form: SLSQP, no sales while buying."""
    costs, periods = Costs(0.95, 2.5e-6, 2.5e-7, 1e-6), 5
    left = 1.0 - np.tri(periods)

    def objective(trades: np.ndarray) -> float:
        held = left @ trades
        expected = costs.permanent * trades @ held + costs.temporary * trades @ trades
        return float(1e6 * (expected + costs.risk_aversion * costs.volatility**2 * held @ held))

    found = optimize.minimize(
        objective,
        np.full(periods, 1.0 / periods),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * periods,
        constraints={"type": "eq", "fun": lambda trades: trades.sum() - 1.0},
        options={"ftol": 1e-14},
    )
    kappa_horizon = periods / almgren_chriss.half_life(costs, 1.0)
    np.testing.assert_allclose(almgren_chriss.trades(periods, kappa_horizon), found.x, atol=1e-5)


@given(st.integers(1, 60), st.floats(0.0, 1e6))
def test_holdings_fall_from_all_to_nothing(periods: int, kappa_horizon: float) -> None:
    held = almgren_chriss.holdings(periods, kappa_horizon)
    assert held[0] == 1.0
    assert held[-1] == 0.0
    assert (np.diff(held) <= 0.0).all()
    assert abs(almgren_chriss.trades(periods, kappa_horizon).sum() - 1.0) < 1e-12


def test_it_is_the_sinh_of_the_paper() -> None:
    for kappa_horizon in (1e-6, 0.3, 3.0, 30.0):
        time = np.arange(11) / 10
        expected = np.sinh(kappa_horizon * (1.0 - time)) / np.sinh(kappa_horizon)
        np.testing.assert_allclose(
            almgren_chriss.holdings(10, kappa_horizon), expected, rtol=1e-9, atol=1e-12
        )


def test_the_ends_are_twap_and_all_at_once() -> None:
    np.testing.assert_allclose(almgren_chriss.trades(4, 1e-9), 0.25)
    assert almgren_chriss.trades(4, np.inf).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert almgren_chriss.half_life(Costs(1.0, 1.0, 0.0, 0.0), 1.0) == np.inf


@pytest.mark.parametrize(
    ("costs", "period"),
    [
        (Costs(1.0, 1.0, 0.0, -1.0), 1.0),
        (Costs(np.nan, 1.0, 0.0, 1.0), 1.0),
        (Costs(1.0, 1.0, 3.0, 1.0), 1.0),
        (Costs(1.0, 1.0, 0.0, 1.0), 0.0),
    ],
)
def test_costs_that_make_no_sense_are_refused(costs: Costs, period: float) -> None:
    with pytest.raises(ValueError, match="slicing"):
        almgren_chriss.half_life(costs, period)
