"""Each process is replaced, one after the other, while executions are live: no call is repeated, no job waits long."""

import subprocess
from pathlib import Path

import pytest

from upgrades.pairs import NoCommitError
from upgrades.rolling import roll
from upgrades.versions import RELEASES, find_earlier

#: The promises of two releases, as each adds them.
RELEASED = (f"{RELEASES}/0.2.0.txt", f"{RELEASES}/0.3.0.txt")


@pytest.mark.real
@pytest.mark.timeout(600)
async def test_the_release_before_is_replaced_across_a_migration_while_executions_are_live(tmp_path: Path) -> None:
    """Who publishes facts is one process at a time: each version knows the other's leader by the lock that it holds.

    Without a commit, processes of this version are restarted; `make upgrade` does both.
    """
    load = {"live": 12, "call_s": (1.0, 4.0), "around_s": 3.0}
    try:
        report = await roll(tmp_path, upgrades=True, **load)
    except NoCommitError:
        report = await roll(tmp_path, upgrades=False, **load)
    assert report.problems == [], report
    assert len(report.leaders) >= 2, report


def test_an_upgrade_begins_from_the_last_release_behind_the_commit(tmp_path: Path) -> None:
    def commit(name: str) -> str:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
        given = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", name)
        for words in (("init", "-q"), ("add", "."), given):
            subprocess.run(["git", "-C", tmp_path, *words], check=True)
        return subprocess.run(["git", "-C", tmp_path, "rev-parse", "HEAD"], capture_output=True, check=True).stdout

    assert find_earlier(tmp_path) is None
    begun = [(commit(name).decode().strip(), find_earlier(tmp_path)) for name in ("a", *RELEASED, "b")]
    (first, _), (release, _), (next_release, _), _ = begun
    assert [earlier for _, earlier in begun] == [first, release, release, next_release]
