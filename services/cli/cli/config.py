"""Where the system is: options and environment first, then the file that `signoff up` writes."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.errors import CommandError

DATA_DIR = Path(".signoff")
ENDPOINTS = DATA_DIR / "endpoints.json"


@dataclass(frozen=True)
class Target:
    """One Signoff; what is not known is None or empty."""

    jobstore: str | None = None
    token: str | None = None
    kafka: str | None = None
    http: str | None = None
    judge: str | None = None
    postgres: str | None = None
    agents: dict[str, str] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)
    file: Path | None = None

    @property
    def login(self) -> str | None:
        """A link that opens the console for whoever has it."""
        return f"{self.http}/login?token={self.token}" if self.http and self.token else None


def find(given: dict[str, str | None], endpoints: Path | None = None) -> Target:
    """What is given, and for the rest what the endpoints file says.

    The default file may be missing, and is not read for another jobstore: its token is not for that one.
    """
    file = endpoints or ENDPOINTS
    if endpoints is None and (given["jobstore"] or not file.exists()):
        return Target(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
    return _over(read(file), given)


def read(file: Path) -> Target:
    """An endpoints file."""
    try:
        found = json.loads(file.read_text())
        return Target(
            jobstore=found["grpc"],
            token=found.get("token"),
            kafka=found.get("kafka"),
            http=found.get("http"),
            judge=found.get("judge"),
            postgres=found.get("postgres"),
            agents=dict(found.get("agents") or {}),
            processes=dict(found.get("processes") or {}),
            file=file,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"cannot read the endpoints file {file}: {error}; is `signoff up` running?"
        raise CommandError(message, code="endpoints_unreadable") from error


def _over(target: Target, given: dict[str, str | None]) -> Target:
    known: dict[str, Any] = vars(target) | {name: value for name, value in given.items() if value}
    return Target(**known)
