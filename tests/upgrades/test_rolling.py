"""Each process is replaced, one after the other, while executions are live: no call is repeated, no job waits long."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from upgrades.pairs import OLDER_COMMITS, NoHistoryError
from upgrades.rolling import roll

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.mark.parametrize("commits", [{}, OLDER_COMMITS], ids=["restart", "upgrade"])
async def test_each_process_is_replaced_while_executions_are_live(tmp_path: Path, commits: Mapping[str, str]) -> None:
    try:
        report = await roll(tmp_path, commits, live=20, call_s=(0.5, 3.0), around_s=6.0)
    except NoHistoryError as error:
        pytest.skip(str(error))
    print(report)
    assert report.problems == [], report
