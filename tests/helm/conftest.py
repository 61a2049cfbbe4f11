"""Fixtures of the chart's tests."""

import os

import pytest

from tests.helm import schemas


@pytest.fixture(scope="session")
def operator_kinds() -> None:
    """Have the schemas of the Prometheus operator. Without them a test is skipped; with CI=true it fails."""
    try:
        schemas.fetch()
    except schemas.SchemasUnavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, but {missing}", pytrace=False)
        pytest.skip(str(missing))
