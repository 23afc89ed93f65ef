"""Notifications: each loop is woken for its own work, by processes of any version."""

import pytest

from jobstore.engine.database import EVERYTHING, HANDS_OVER, Wake, notify, number_handed_over, settled_cursor


@pytest.mark.parametrize("wake", [*Wake, Wake.NOTHING, EVERYTHING, Wake.RECORDED | Wake.QUEUED])
def test_a_payload_says_what_there_is_to_do(wake: Wake) -> None:
    assert Wake.of_payload(wake.payload) == wake
    assert settled_cursor(wake.payload) is None


def test_letters_keep_their_meaning() -> None:
    """An older or a newer jobstore beside this one reads and writes the same."""
    assert Wake.of_payload("lqfaojrti") == ~Wake.NOTHING
    assert notify(Wake.RECORDED | Wake.AGENTS) == "pg_notify('signoff', 'la')"


def test_what_a_newer_version_says_is_ignored() -> None:
    assert Wake.of_payload("z") is Wake.NOTHING
    assert Wake.of_payload("lz") is Wake.RECORDED


def test_a_cursor_is_no_work() -> None:
    assert settled_cursor("p4711") == 4711


def test_a_row_that_its_process_hands_over_is_told_of_by_its_number() -> None:
    """Only that process takes it so; an older version reads the letters alone."""
    payload = f"lf4711{HANDS_OVER}"
    assert (number_handed_over(payload), Wake.of_payload(payload)) == (4711, Wake.RECORDED | Wake.FREED)
    assert (settled_cursor(payload), set(HANDS_OVER) <= set("/0123456789")) == (None, True)
    assert number_handed_over("lf4711/another") is None
    assert number_handed_over("lf") is None
