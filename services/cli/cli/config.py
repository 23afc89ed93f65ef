"""Find where the system is: by options and environment, else by the file that `signoff up` writes."""

import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from contracts.topic_prefix import TOPIC_PREFIX
from signoff.errors import ErrorCode

DATA_DIR = Path(".signoff")
ENDPOINTS = DATA_DIR / "endpoints.json"


@dataclass(frozen=True)
class Target:
    """The addresses and secrets of one Signoff; unknown ones are None or empty."""

    jobstore: str | None = None
    token: str | None = None
    secrets: str | None = None
    kafka: str | None = None
    http: str | None = None
    judge: str | None = None
    postgres: str | None = None
    agents: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    data_dir: Path | None = None
    topic_prefix: str | None = None
    processes: dict[str, int] = field(default_factory=dict)
    file: Path | None = None
    #: Whether a token was given, while the jobstore's address comes from a file that was found by searching.
    is_token_for_another: bool = False

    @property
    def other_prefix(self) -> str | None:
        """The problem that topics there have another prefix than here; None if they have the same."""
        if self.topic_prefix in {None, TOPIC_PREFIX}:
            return None
        return f"topics there begin with {self.topic_prefix!r}, and are looked for with {TOPIC_PREFIX!r}"


def find_target(options: dict[str, str | None], endpoints: Path | None = None) -> Target:
    """Return the target of the options, completed from the endpoints file.

    The default file may be missing. It is not read if an option names a jobstore: its token is not for that one. Nor is
    a token of the options for a jobstore that it names: the author of the folder, such as that of a repository, would
    get it. Raise CommandError if the file cannot be read.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    file = endpoints or (None if options["jobstore"] else _find_endpoints())
    if file is None:
        return Target(**given)
    return replace(read_endpoints(file), **given, is_token_for_another=endpoints is None and "token" in given)


def _find_endpoints() -> Path | None:
    """Return the endpoints file of this folder, or of the nearest one above that has one.

    One that belongs to another user, or that others can write, is passed over: they must not say where a job goes.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / ENDPOINTS
        with suppress(OSError):
            status = file.stat()
            if status.st_uid in {os.getuid(), 0} and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return file
    return None


def read_token(token: str | None, file: Path | None) -> str | None:
    """Return a token that is given as text or in a file; the first one where two are, while one is replaced.

    Raise CommandError if both are given, or the file cannot be read.
    """
    if token and file:
        message = "a token is given as text (--token, SIGNOFF_TOKEN) and in a file (--token-file, SIGNOFF_TOKEN_FILE)"
        raise CommandError(f"{message}: give one of them", code=ErrorCode.TWO_TOKENS)
    try:
        values = (file.read_text() if file else token or "").replace(",", " ").split()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read the token's file: {error}", code=ErrorCode.TOKEN_UNREADABLE) from error
    return values[0] if values else None


def read_endpoints(file: Path) -> Target:
    """Read an endpoints file. Raise CommandError if it cannot be read."""
    try:
        fields = json.loads(file.read_text())
        return Target(
            jobstore=fields["grpc"],
            token=fields.get("token"),
            secrets=fields.get("secrets"),
            kafka=fields.get("kafka"),
            http=fields.get("http"),
            judge=fields.get("judge"),
            postgres=fields.get("postgres"),
            agents=dict(fields.get("agents") or {}),
            metrics=dict(fields.get("metrics") or {}),
            data_dir=Path(fields["data_dir"]) if fields.get("data_dir") else None,
            topic_prefix=fields.get("topic_prefix"),
            processes=dict(fields.get("processes") or {}),
            file=file,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"cannot read the endpoints file {file}: {error}; is `signoff up` running?"
        raise CommandError(message, code=ErrorCode.ENDPOINTS_UNREADABLE) from error
