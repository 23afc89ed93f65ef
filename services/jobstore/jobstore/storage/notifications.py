"""What a commit leaves to do, told by PostgreSQL's NOTIFY to the loops that do it, in every process.

A payload is one letter for each thing to do, or `p` and the cursor up to which everything is published. Processes of
two versions talk to each other during an upgrade: a letter keeps its meaning, and one that is unknown is ignored.
"""

from enum import Flag, auto

CHANNEL = "signoff"
PUBLISHED = "p"


class Wake(Flag):
    """Name what there is to do now. A loop that misses a notification finds it at its next poll."""

    NOTHING = 0
    RECORDED = auto()  # an entry of a log, or another fact: the relay publishes it
    QUEUED = auto()  # an execution waits: the dispatcher offers it
    FREED = auto()  # an execution ended or awaits its judge: what limits held back may be offered, a batch may be done
    AGENTS = auto()  # an agent or a limit changed: the matcher tries the jobs that wait for an agent
    OPERATIONS = auto()  # an operation was asked for, paused, resumed or cancelled: its worker goes on

    @property
    def payload(self) -> str:
        """The letters of what there is to do."""
        return "".join(letter for wake, letter in _LETTERS.items() if wake in self)

    @classmethod
    def of_payload(cls, payload: str) -> "Wake":
        """Read the letters of a payload."""
        wake = cls.NOTHING
        for each, letter in _LETTERS.items():
            if letter in payload:
                wake |= each
        return wake


_LETTERS = {Wake.RECORDED: "l", Wake.QUEUED: "q", Wake.FREED: "f", Wake.AGENTS: "a", Wake.OPERATIONS: "o"}
#: All of it: what a process assumes that it has missed when its connection was lost.
EVERYTHING = Wake.RECORDED | Wake.QUEUED | Wake.AGENTS | Wake.OPERATIONS


def notify(wake: Wake) -> str:
    """Return the SQL expression that notifies at the commit of its transaction."""
    return f"pg_notify('{CHANNEL}', '{wake.payload}')"


def published_cursor(payload: str) -> int | None:
    """Return the cursor up to which everything is published, where that is what a payload says."""
    return int(payload.removeprefix(PUBLISHED)) if payload.startswith(PUBLISHED) else None
