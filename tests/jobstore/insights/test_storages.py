"""Storages: how full disks, the database and brokers are, how they grow, and when no new work is taken."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from jobstore.engine.database import Database
from jobstore.insights.storages import KEPT_EVERY_S, Fill, Storage, Storages
from servicekit.errors import TransientError
from servicekit.kafka.broker import LogDir

GIB = 1 << 30
DAY_S = 86_400.0


class Brokers:
    """Log folders of brokers, as a test has them; out of reach where there are none."""

    def __init__(self, *dirs: LogDir) -> None:
        self.dirs: Sequence[LogDir] = dirs

    async def list(self) -> Sequence[LogDir]:
        if not self.dirs:
            raise TransientError("no broker answers")
        return self.dirs


def of(free: int, total: int = 100 * GIB) -> LogDir:
    return LogDir(1, "/data", free, total)


def watch(database: object, brokers: Brokers, **fields: object) -> Storages:
    return Storages(database, brokers.list, **({"full_at": 0.95} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shares", "full"),
    [
        ([0.94, 0.95], [False, True]),
        ([0.95, 0.94, 0.91, 0.90, 0.89], [True, True, True, True, False]),
        ([0.96, 0.89, 0.94, 0.95], [True, False, False, True]),
    ],
    ids=["from-there-on", "until-well-below", "again"],
)
def test_a_storage_is_full_from_its_bound_on_until_it_is_well_below(shares: list[float], full: list[bool]) -> None:
    fill = Fill(0.95)
    measured = [fill.note(Storage("disk", round(share * 10_000), 10_000), at) for at, share in enumerate(shares)]
    assert [each.is_full for each in measured] == full


def test_a_storage_of_no_bytes_is_full() -> None:
    assert Fill(0.95).note(Storage("database", 0, 0), 0).is_full


def test_it_is_said_how_much_it_grows_a_day_and_when_it_is_full() -> None:
    fill = Fill(0.95)
    assert fill.note(Storage("disk", 50 * GIB, 100 * GIB), 0).refused_in_days is None
    assert fill.note(Storage("disk", 51 * GIB, 100 * GIB), KEPT_EVERY_S - 1).growth_bytes_per_day is None
    measured = fill.note(Storage("disk", 55 * GIB, 100 * GIB), DAY_S / 2)
    assert measured.growth_bytes_per_day == pytest.approx(10 * GIB)
    assert measured.refused_in_days == pytest.approx(4.0)


def test_one_that_shrinks_is_never_full() -> None:
    fill = Fill(0.95)
    fill.note(Storage("disk", 50 * GIB, 100 * GIB), 0)
    measured = fill.note(Storage("disk", 40 * GIB, 100 * GIB), DAY_S)
    assert (measured.growth_bytes_per_day, measured.refused_in_days) == (-10 * GIB, None)


def test_growth_is_that_of_the_last_day() -> None:
    fill, at = Fill(0.95), 0.0
    for _ in range(144):  # a day in which nothing grows, after one that was filled at once
        fill.note(Storage("disk", 50 * GIB, 100 * GIB), at)
        at += KEPT_EVERY_S
    assert fill.note(Storage("disk", 51 * GIB, 100 * GIB), at).growth_bytes_per_day == pytest.approx(GIB, rel=0.01)


async def test_disks_the_database_and_brokers_are_measured(database: Database, tmp_path: Path) -> None:
    storages = watch(database, Brokers(of(40 * GIB)), disks=[tmp_path], database_max_bytes=GIB)
    await storages.look()
    found = {name: each.storage for name, each in storages.measured.items()}
    assert list(found) == [f"disk {tmp_path}", "database", "broker 1 /data"]
    usage = shutil.disk_usage(tmp_path)
    assert found[f"disk {tmp_path}"].total_bytes == pytest.approx(usage.used + usage.free, rel=0.01)
    assert 1 << 20 < found["database"].used_bytes < GIB
    assert found["broker 1 /data"] == ("broker 1 /data", 60 * GIB, 100 * GIB)
    assert storages.find_full() is None


async def test_without_disks_and_bounds_brokers_alone_are_measured() -> None:
    storages = watch(None, Brokers(of(40 * GIB)))
    await storages.look()
    assert list(storages.measured) == ["broker 1 /data"]


async def test_what_is_full_is_named_and_goes_on_by_itself_once_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    brokers = Brokers(of(2 * GIB))
    storages = watch(None, brokers)
    await storages.look()
    assert storages.find_full() == "broker 1 /data is 98% full: no new work is taken until it is below 90%"
    brokers.dirs = [of(7 * GIB)]
    await storages.look()
    assert storages.find_full() is not None
    brokers.dirs = [of(11 * GIB)]
    await storages.look()
    assert storages.find_full() is None
    assert [line.levelname for line in caplog.records] == ["WARNING", "WARNING", "INFO"]


async def test_one_that_is_out_of_reach_stays_as_it_was_and_the_others_are_measured(tmp_path: Path) -> None:
    brokers = Brokers(of(2 * GIB))
    storages = watch(None, brokers, disks=[tmp_path, tmp_path / "gone"])
    await storages.look()
    brokers.dirs = []
    await storages.look()
    assert storages.find_full() is not None
    assert f"disk {tmp_path}" in storages.measured
