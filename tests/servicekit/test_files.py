"""Values made of files are made again when the files change."""

from pathlib import Path

import pytest

from signoff.files import WatchedFiles


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("1")
    return path


def test_a_value_is_made_once_until_a_file_changes(file: Path) -> None:
    made: list[int] = []
    watched = WatchedFiles([file, None], lambda: made.append(int(file.read_text())) or made[-1])
    assert [watched.read(), watched.read(), len(made)] == [1, 1, 1]
    file.write_text("22")
    assert [watched.read(), watched.read(), len(made)] == [22, 22, 2]


def test_a_file_that_is_replaced_by_one_as_old_and_large_has_changed(file: Path) -> None:
    watched = WatchedFiles([file], file.read_text)
    assert watched.read() == "1"
    other = file.with_name("other")
    other.write_text("2")
    other.replace(file)
    assert watched.read() == "2"


@pytest.mark.parametrize("change", [lambda path: path.write_text("no number"), lambda path: path.unlink()])
def test_while_a_file_cannot_be_used_the_value_stays(file: Path, change, caplog: pytest.LogCaptureFixture) -> None:
    watched = WatchedFiles([file], lambda: int(file.read_text()))
    watched.read()
    change(file)
    assert [watched.read(), watched.read()] == [1, 1]
    assert [record.message for record in caplog.records] == ["files have changed, and cannot be used"]
    file.write_text("333")
    assert watched.read() == 333


def test_without_a_first_value_the_error_is_the_callers(file: Path) -> None:
    file.write_text("no number")
    with pytest.raises(ValueError, match="no number"):
        WatchedFiles([file], lambda: int(file.read_text())).read()
