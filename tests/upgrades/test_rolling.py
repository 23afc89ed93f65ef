"""Each process is replaced, one after the other, while executions are live: no call is repeated, no job waits long."""

from pathlib import Path

import pytest

from upgrades.pairs import NoCommitError
from upgrades.rolling import roll


@pytest.mark.real
@pytest.mark.timeout(600)
async def test_the_last_commit_is_replaced_across_a_migration_while_executions_are_live(tmp_path: Path) -> None:
    """Who publishes facts is one process at a time: each version knows the other's leader by the lock that it holds.

    Without a last commit, processes of this version are restarted; `make upgrade` does both.
    """
    load = {"live": 12, "call_s": (1.0, 4.0), "around_s": 3.0}
    try:
        report = await roll(tmp_path, upgrades=True, **load)
    except NoCommitError:
        report = await roll(tmp_path, upgrades=False, **load)
    assert report.problems == [], report
    assert len(report.leaders) >= 2, report
