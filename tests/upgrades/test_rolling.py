"""Each process is replaced, one after the other, while executions are live: no call is repeated, no job waits long."""

from pathlib import Path

import pytest

from jobstore.storage.epochs import SESSION_NAME
from upgrades.pairs import OLDER_COMMITS, NoHistoryError
from upgrades.rolling import roll

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


async def test_processes_are_restarted_while_executions_are_live(tmp_path: Path) -> None:
    report = await roll(tmp_path, {}, live=16, call_s=(1.0, 4.0), around_s=6.0)
    assert report.problems == [], report
    assert len(report.leaders) >= 2, report


async def test_an_older_version_is_replaced_while_executions_are_live(tmp_path: Path) -> None:
    """Who publishes facts is one process at a time: each version knows the other's leader by the lock that it holds.

    What names a judge policy, once jobstores know policies, no older validator is given: it waits for a newer one.
    """
    try:
        report = await roll(tmp_path, OLDER_COMMITS, live=16, call_s=(1.0, 4.0), around_s=6.0)
    except NoHistoryError:
        pytest.skip("needs the whole history: git fetch --unshallow")
    assert report.problems == [], report
    assert report.leaders[0] == SESSION_NAME, report  # without an epoch
    assert report.leaders[-1].startswith(f"{SESSION_NAME} "), report
