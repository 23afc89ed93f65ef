"""A limit of a door that does not fit the topics stops the start of each service, with the largest that would."""

from base64 import b64encode
from typing import Any

import pytest
from pydantic import ValidationError

from console.config import ConsoleSettings
from contracts.topics import LIMIT_MAX_BYTES
from executor.config import Settings as ExecutorSettings
from jobstore.config import Settings as JobstoreSettings

SECRETS = {f"SIGNOFF_{name}": name.ljust(32, "x") for name in ("TOKEN", "EXECUTOR_TOKEN", "VALIDATOR_TOKEN")}
SECRETS |= {f"SIGNOFF_{name}": b64encode(name[:1].encode() * 32).decode() for name in ("ID_KEY", "SESSION_SECRET")}
SECRETS |= {"SIGNOFF_SECRETS": f"test:{b64encode(b's' * 32).decode()}"}
LIMITS = [
    (JobstoreSettings, "PAYLOAD_MAX_BYTES"),
    (ExecutorSettings, "PAYLOAD_MAX_BYTES"),
    (ExecutorSettings, "RESULT_MAX_BYTES"),
    (ConsoleSettings, "PAYLOAD_MAX_BYTES"),
]


@pytest.mark.parametrize(("settings", "name"), LIMITS)
def test_a_limit_that_does_not_fit_the_topics_stops_the_start(
    settings: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(f"SIGNOFF_{name}", str(LIMIT_MAX_BYTES))
    settings()
    monkeypatch.setenv(f"SIGNOFF_{name}", str(LIMIT_MAX_BYTES + 1))
    with pytest.raises(ValidationError, match=rf"{name.lower()}\n.*at most {LIMIT_MAX_BYTES}: records made of more"):
        settings()
