"""Observations: their layout is one that numba and the snapshot can rely on."""

from genesis.operators.tilt import observations
from genesis.operators.tilt.observations import OBSERVATION, ObservationKind


def test_a_row_is_packed_and_its_kinds_are_numbered_without_a_hole() -> None:
    assert OBSERVATION.itemsize == 32
    assert [int(kind) for kind in ObservationKind] == list(range(len(ObservationKind)))


def test_an_observation_is_one_row_with_what_was_given() -> None:
    row = observations.observation(7, ObservationKind.SOLD, -0.01, 30.0, symbol=3)
    assert row.tolist() == [(7, int(ObservationKind.SOLD), 3, -0.01, 30.0)]
