"""The fixtures that all tests share; helpers are in support/."""

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from localstack.backing import Infrastructure, infrastructure

#: A shell starts what runs in the background with SIGINT ignored, and the processes of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: Where this is set, each process that a test starts compiles all that it imports, again and again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

#: How full the disks of this machine are is no matter of tests.
os.environ.setdefault("SIGNOFF_STORAGE_FULL_AT", "1")

#: How long an example takes says how busy the machine is. Another profile may be named on the command line.
settings.register_profile("any load", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")

#: Whatever uses one of these is `real`: it needs Kafka, PostgreSQL, a browser or a build. Others say so themselves.
REAL = {"servers", "images", "secured"}

#: Of each of these folders all tests share one running system, so that one worker runs them; they are `real`.
SHARED = ("tests/e2e/", "tests/journeys/")
#: But for these, which start what they need themselves.
APART = ("test_backup.py", "test_topic_prefix.py", "test_floods_for_slow_agents_and_judges.py")
#: What takes longest: begun late, it would leave the other workers with nothing to do.
LONGEST = (
    *SHARED,
    "tests/faults/test_frozen_jobstore.py",
    "tests/budget/",
    "test_state_machine.py",
    "tests/upgrades/",
    "test_schemathesis.py",
    "test_outage_classes.py",
    "tests/localstack/",
    "tests/deploy/",
    "test_cli_rebuild.py",
)


class WholeFiles(LoadScopeScheduling):
    """Gives a worker (`pytest -n 4`) all tests of a file, which share fixtures, or of a folder that shares a system."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file.endswith(APART) else next((each for each in SHARED if file.startswith(each)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles:
    config.option.loadscopereorder = False  # by how many tests there are; see below
    return WholeFiles(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage among so many modules and tests, which all stay, and seldom among what tests make."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(30_000, 20)
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(SHARED) or REAL.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("real")
    if hasattr(config, "workerinput"):  # where somebody waits for each in turn, small ones come first
        items.sort(key=lambda item: [name not in item.nodeid for name in LONGEST])


@pytest.fixture(scope="session")
def servers() -> Iterator[Infrastructure]:
    """A real Kafka and a real PostgreSQL, started once a run by whichever test needs them first."""
    with infrastructure() as running:
        yield running


@pytest.fixture(scope="session")
def kafka(servers: Infrastructure) -> str:
    """The broker, host:port."""
    return servers.kafka


@pytest.fixture(scope="session")
def postgres(servers: Infrastructure) -> str:
    """The database server, a URL."""
    return servers.postgres


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in the end what was skipped and why, and where the screenshots are."""
    skipped = Counter(
        (report.nodeid.partition("::")[0].rpartition("/")[0], str(report.longrepr[2]).removeprefix("Skipped: "))
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    )
    if skipped:
        terminalreporter.section("NOT tested here", yellow=True)
    for (folder, reason), tests in skipped.items():
        terminalreporter.line(f"{tests} tests of {folder} were skipped: {reason}")
    ran = [each.nodeid for what in ("passed", "failed", "error") for each in terminalreporter.getreports(what)]
    if any(nodeid.startswith("tests/e2e/") for nodeid in ran) and not os.environ.get("CI"):
        terminalreporter.line(f"screenshots of the page: {Path(__file__).with_name('e2e') / 'screenshots'}")
