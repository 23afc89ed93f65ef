"""Notify the loops of every process, by PostgreSQL's NOTIFY, of what a commit leaves for them to do.

A payload is one letter for each thing to do, or `p` and the cursor up to which the log is settled. Behind the letters
there may be the number of the last row that was recorded, and which process hands these rows over. During an upgrade
processes of two versions notify each other: a letter keeps its meaning, and what is unknown is ignored.
"""

from enum import Flag, auto
from secrets import randbelow
from string import ascii_letters
from typing import Final

CHANNEL = "signoff"
SETTLED = "p"
#: Ends the notifications of rows that this process hands over: digits, since every process reads any letter.
HANDS_OVER: Final = f"/{randbelow(10**12)}"


class Wake(Flag):
    """Kinds of work that a commit leaves to do. A loop that misses a notification finds the work at its next poll."""

    NOTHING = 0
    RECORDED = auto()  # an entry of a log, or another fact: the relay publishes it
    QUEUED = auto()  # an execution waits: the dispatcher offers it
    FREED = auto()  # an execution ended or awaits its judge: what limits held back may be offered, a batch may be done
    AGENTS = auto()  # an agent or a limit changed: the matcher tries the jobs that wait for an agent
    OPERATIONS = auto()  # an operation was asked for, paused, resumed or cancelled: its worker goes on
    JUDGINGS = auto()  # a judging without a job waits for a validator
    LATE = auto()  # a lease is late, and ends once what stood in the topics is read: their consumers hurry

    @property
    def payload(self) -> str:
        """The letters of what there is to do, as `of_payload` reads them."""
        return "".join(letter for wake, letter in _LETTERS.items() if wake in self)

    @classmethod
    def of_payload(cls, payload: str) -> "Wake":
        """Read the letters of a payload."""
        wake = cls.NOTHING
        for each, letter in _LETTERS.items():
            if letter in payload:
                wake |= each
        return wake


_LETTERS = {
    Wake.RECORDED: "l",
    Wake.QUEUED: "q",
    Wake.FREED: "f",
    Wake.AGENTS: "a",
    Wake.OPERATIONS: "o",
    Wake.JUDGINGS: "j",
    Wake.LATE: "r",
}
#: What a process assumes that it missed while its connection was lost. The others wake all loops that FREED wakes.
EVERYTHING = Wake.RECORDED | Wake.QUEUED | Wake.AGENTS | Wake.OPERATIONS | Wake.JUDGINGS


def notify(wake: Wake) -> str:
    """Return the SQL expression that notifies at the commit of its transaction."""
    return f"pg_notify('{CHANNEL}', '{wake.payload}')"


def number_handed_over(payload: str) -> int | None:
    """Return the number of the last row that a payload tells of, if this process hands it over, else None."""
    return int(payload.removesuffix(HANDS_OVER).lstrip(ascii_letters)) if payload.endswith(HANDS_OVER) else None


def settled_cursor(payload: str) -> int | None:
    """Return the cursor up to which the log is settled, if a payload is one, else None."""
    return int(payload.removeprefix(SETTLED)) if payload.startswith(SETTLED) else None
