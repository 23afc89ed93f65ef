"""Find the keys that check facts, and say which records nobody vouches for."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.config import Target
from cli.errors import CommandError
from contracts.fact_keys import FactKeys
from contracts.signing import Secrets
from signoff.errors import ErrorCode

#: What to do where no key is known.
HOW_TO_GIVE = "set SIGNOFF_SECRETS, or SIGNOFF_FACT_KEYS to what `signoff fact-keys` prints"
_REASONS = {
    "unsigned": "unsigned",
    "earlier_version": "of an earlier, unreleased version",
    "bad_signature": "wrongly signed",
    "unknown_secret": "signed with a secret whose key was not given",
    "retired_secret": "signed with a secret that had been replaced",
}


def find_fact_keys(target: Target) -> FactKeys | None:
    """Return the keys of SIGNOFF_SECRETS, and behind them those of SIGNOFF_FACT_KEYS; None: no key is known.

    Each may be in a file (`_FILE`). The target's secrets are taken where neither is set. Raise CommandError if what is
    set cannot be read.
    """
    secrets, given = _read_environment()
    if not given:
        secrets = secrets or target.secrets or ""
    try:
        derived = FactKeys.derive(Secrets.parse(secrets)) if secrets else ()
        others = FactKeys.parse(given) if given else ()
        keys = [*derived, *(key for key in others if key not in derived)]
        return FactKeys(keys) if keys else None
    except ValueError as error:
        raise CommandError(f"SIGNOFF_SECRETS, SIGNOFF_FACT_KEYS: {error}", code=ErrorCode.BAD_SETTINGS) from None


def _read_environment() -> list[str]:
    from pydantic import SecretStr  # noqa: PLC0415 - with the next two, heavy, and only needed here
    from pydantic_settings import SettingsConfigDict  # noqa: PLC0415

    from servicekit.process.settings import EnvironmentSettings, load_settings  # noqa: PLC0415

    class Settings(EnvironmentSettings):
        model_config = SettingsConfigDict(env_prefix="SIGNOFF_")
        secrets: SecretStr = SecretStr("")
        fact_keys: SecretStr = SecretStr("")

    settings = load_settings(Settings)
    return [settings.secrets.get_secret_value(), settings.fact_keys.get_secret_value()]


def require_fact_keys(target: Target) -> FactKeys:
    """Return the keys that check facts. Raise CommandError if none is known."""
    keys = find_fact_keys(target)
    if keys is None:
        raise CommandError(f"no key of facts is known: {HOW_TO_GIVE}", code=ErrorCode.NO_FACT_KEYS)
    return keys


def describe_unread(unread: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield a line where batches of records could not be read."""
    if unread and unread["batches"]:
        yield f"passed by, since nobody can read them: {unread['batches']} batches ({', '.join(unread['offsets'])})"


def describe_left(left: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Yield a line for each topic with records that nobody vouches for, and why."""
    for topic, reasons in left.items():
        counts = ", ".join(f"{count} {_REASONS.get(reason, reason)}" for reason, count in reasons.items())
        yield f"left out of {topic}: {counts}"
