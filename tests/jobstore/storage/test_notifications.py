"""Notifications: each loop is woken for its own work, by processes of any version."""

import pytest

from jobstore.storage.notifications import EVERYTHING, Wake, notify, settled_cursor


@pytest.mark.parametrize("wake", [*Wake, Wake.NOTHING, EVERYTHING, Wake.RECORDED | Wake.QUEUED])
def test_a_payload_says_what_there_is_to_do(wake: Wake) -> None:
    assert Wake.of_payload(wake.payload) == wake
    assert settled_cursor(wake.payload) is None


def test_letters_keep_their_meaning() -> None:
    """An older or a newer jobstore beside this one reads and writes the same."""
    assert Wake.of_payload("lqfao") == ~Wake.NOTHING
    assert notify(Wake.RECORDED | Wake.AGENTS) == "pg_notify('signoff', 'la')"


def test_what_a_newer_version_says_is_ignored() -> None:
    assert Wake.of_payload("z") is Wake.NOTHING
    assert Wake.of_payload("lz") is Wake.RECORDED


def test_a_cursor_is_no_work() -> None:
    assert settled_cursor("p4711") == 4711
