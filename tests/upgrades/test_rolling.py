"""Each process is replaced, one after the other, while executions are live: no call is repeated, no job waits long."""

import subprocess
from pathlib import Path

import pytest

from upgrades.rolling import roll
from upgrades.versions import RELEASES, find_earlier


@pytest.mark.real
@pytest.mark.timeout(600)
async def test_the_release_before_is_replaced_across_a_migration_while_executions_are_live(tmp_path: Path) -> None:
    """Who publishes facts is one process at a time: each version knows the other's leader by the lock that it holds.

    An agent by a newer protocol is registered once the jobstores are of today. Its jobs wait, and say so, until an
    executor of today runs, beside one of the release before, and are called once.

    Without a commit, processes of this version are restarted; `make upgrade` does both.
    """
    report = await roll(tmp_path, upgrades=True, live=12, call_s=(1.0, 4.0), around_s=3.0)
    assert report.problems == [], report
    assert len(report.leaders) >= 2, report


def test_an_upgrade_begins_from_the_last_release_behind_the_commit(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", "-C", tmp_path, *author, *words], capture_output=True, check=True).stdout.decode()

    git("init")
    (tmp_path / RELEASES).mkdir(parents=True)
    commits, begun = [], [find_earlier(tmp_path)]
    for name in ("a", f"{RELEASES}/0.2.0.txt", f"{RELEASES}/0.3.0.txt", "b"):
        (tmp_path / name).touch()
        git("add", ".")
        git("commit", "-m", name)
        commits.append(git("rev-parse", "HEAD").strip())
        begun.append(find_earlier(tmp_path))
    assert begun == [None, commits[0], commits[1], commits[1], commits[2]]
