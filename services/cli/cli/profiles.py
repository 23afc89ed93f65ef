"""Keep profiles: the jobstores that one signs in to, each with the session that it gave, for its owner's eyes alone.

The profile that was used last stands last in the file.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from cli.errors import CommandError
from signoff.errors import ErrorCode

_FILE: Final = "profiles.json"
#: Members of a profile, and options of commands, that name the files of TLS.
TLS_OPTIONS: Final = ("jobstore_ca", "jobstore_certificate", "jobstore_key")


@dataclass(frozen=True)
class Profile:
    """A jobstore, and what commands take for it unless it is given. The token is sent to no other jobstore."""

    name: str
    jobstore: str
    jobstore_ca: str | None = None
    jobstore_certificate: str | None = None
    jobstore_key: str | None = None
    http: str | None = None
    tenant: str | None = None
    token: str | None = None
    #: Whose session the token is, and the time of its end in ISO 8601.
    user: str | None = None
    ends_at: str | None = None

    def sign_out(self) -> "Profile":
        """Return the profile without its session."""
        return replace(self, token=None, user=None, ends_at=None)


def find_folder() -> Path:
    """Return the folder of the file, by the rules of XDG. RuntimeError: it is in the home, and there is none."""
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".config") / "signoff"


def read_profiles() -> dict[str, Profile]:
    """Return the profiles by their names. Raise CommandError if the file is not well formed, or others may read it."""
    try:
        file = find_folder() / _FILE
        status = file.stat()
    except (OSError, RuntimeError):  # there is none, nor perhaps a home where one could be
        return {}
    try:
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or status.st_uid != os.getuid():
            message = f"others may read or change {file}, which holds tokens: chmod 600 it, and sign in anew"
            raise CommandError(message, code=ErrorCode.PROFILES_UNREADABLE)
        fields: dict[str, dict[str, Any]] = json.loads(file.read_text())
        return {name: Profile(name, **each) for name, each in fields.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        message = f"cannot read {file}: {error}; mend it, or remove it and sign in anew"
        raise CommandError(message, code=ErrorCode.PROFILES_UNREADABLE) from error


@contextmanager
def changing_profiles() -> Iterator[dict[str, Profile]]:
    """Yield the profiles to be changed, and keep them as they are at the end of the block; one command at a time."""
    import fcntl  # noqa: PLC0415 - the next, too, is only needed here

    try:
        folder = find_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        lock = os.open(folder, os.O_RDONLY)
    except (OSError, RuntimeError) as error:
        raise CommandError(f"cannot keep a profile: {error}", code=ErrorCode.UNWRITABLE) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        profiles = read_profiles()
        yield profiles
        _write(folder / _FILE, profiles)
    finally:
        os.close(lock)


def find_profile(profiles: Mapping[str, Profile], name: str) -> Profile:
    """Return the profile of a name. Raise CommandError if there is none."""
    if name not in profiles:
        message = f"there is no profile {name}: `signoff profiles` lists them, `signoff login` makes one"
        raise CommandError(message, code=ErrorCode.UNKNOWN_PROFILE)
    return profiles[name]


def keep_profile(profile: Profile) -> None:
    """Keep a profile, as the one that was used last."""
    with changing_profiles() as profiles:
        profiles.pop(profile.name, None)
        profiles[profile.name] = profile


def _write(file: Path, profiles: Mapping[str, Profile]) -> None:
    from tempfile import mkstemp  # noqa: PLC0415

    kept = {
        name: {key: value for key, value in asdict(each).items() if key != "name" and value is not None}
        for name, each in profiles.items()
    }
    try:
        handle, temporary = mkstemp(dir=file.parent, prefix=f".{_FILE}.")  # made with mode 0600
        with os.fdopen(handle, "w") as writing:
            json.dump(kept, writing, indent=2)
        Path(temporary).replace(file)
    except OSError as error:
        raise CommandError(f"cannot keep a profile: {error}", code=ErrorCode.UNWRITABLE) from error
