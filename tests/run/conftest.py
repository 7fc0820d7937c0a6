"""What a server said is part of the report of a test that failed."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.run.process import OUTPUTS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the output of all servers."""
    report = yield
    if report.failed:
        for server in OUTPUTS:
            report.sections.append((f"xds-server run, pid {server.pid}", server.output))
    return report


@pytest.fixture(autouse=True)
def _forget_servers_that_ended() -> Iterator[None]:
    yield
    OUTPUTS[:] = [server for server in OUTPUTS if not server.has_ended]
