"""The stack's directory: who may use it, and what it remembers."""

import os
import socket
import stat
from pathlib import Path

import pytest

from localstack.datadir import DataDir
from localstack.errors import DataDirInUseError


def test_a_directory_belongs_to_one_stack_at_a_time(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    with first.lock(), pytest.raises(DataDirInUseError, match="already running"), second.lock():
        pass
    with second.lock():
        pass


def test_what_is_written_is_for_its_owner_alone_and_what_was_before_becomes_so(tmp_path: Path) -> None:
    old = tmp_path / "old"
    for folder in (old, old / "logs", old / "kafka"):
        folder.mkdir(mode=0o755)
    (old / "logs/kafka.log").touch(mode=0o644)
    umask = os.umask(0o022)
    try:
        for path in (old, tmp_path / "new"):
            with DataDir(path).lock():
                (path / "postgres").mkdir()
                (path / "logs/new.log").touch()
        assert os.umask(0o022) == 0o022, "the umask is given back"
    finally:
        os.umask(umask)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path != old}
    assert modes == {path: 0o700 if path.is_dir() else 0o600 for path in modes}
    assert len(modes) == 11


def test_ports_and_secrets_are_remembered(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    assert first.get_port("kafka") == second.get_port("kafka") == first.get_port("kafka")
    assert first.get_port("http", wanted=18_123) == 18_123 == second.get_port("http")
    assert first.get_secret("token") == second.get_secret("token")
    assert first.get_secret("token") != first.get_secret("executor_token")
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_ports_differ(tmp_path: Path) -> None:
    directory = DataDir(tmp_path)
    ports = [directory.get_port(str(number)) for number in range(20)]
    assert len(set(ports)) == 20


def test_stacks_that_start_at_once_choose_among_different_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localstack.datadir.LAST_PORT", 20_060)  # three blocks
    first, second = DataDir(tmp_path / "first"), DataDir(tmp_path / "second")
    with first.lock(), second.lock():
        ports = [directory.get_port(str(number)) for directory in (first, second) for number in range(10)]
        assert len(set(ports)) == 20
    with second.lock():
        assert DataDir(tmp_path / "second").get_port("0") == ports[10]


def test_a_remembered_port_that_somebody_took_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localstack.datadir.FREE_AGAIN_S", 0.0)
    port = DataDir(tmp_path).get_port("kafka")
    with socket.create_server(("127.0.0.1", port)):
        assert DataDir(tmp_path).get_port("kafka") != port


def test_a_port_in_use_by_this_stack_stays_its_port(tmp_path: Path) -> None:
    directory = DataDir(tmp_path)
    port = directory.get_port("kafka")
    with socket.create_server(("127.0.0.1", port)):
        assert directory.get_port("kafka") == port
