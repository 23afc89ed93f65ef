"""The settings of the console, read from variables that begin with SIGNOFF_, and the limits of its clients."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, SecretStr, model_validator

from contracts.topics import PAYLOAD_MAX_BYTES, DoorLimit
from servicekit.oidc import Address
from servicekit.process.settings import JobstoreClientSettings, KeySetting, SecretSetting


def check_trace_url(template: str) -> str:
    """Return the template of a trace's address. Raise ValueError if it leads to no trace; empty, there is none."""
    if template and not (template.startswith(("https://", "http://")) and "{trace_id}" in template):
        raise ValueError("must be a URL with {trace_id} in it, such as https://traces.example/trace/{trace_id}")
    return template


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits on clients of the console; docs/operations.md lists them."""

    #: Connections open at once; more are answered with 503, and closed.
    connections_max: int = 10_000
    #: Requests that are worked on at once, as many as the jobstore answers before usual clients time out.
    requests_max: int = 100
    #: Seconds for which one more request waits for its turn before it is answered with 429. A client that is refused
    #: at once asks again at once, and takes the turns of others.
    turn_s: float = 3.0
    #: Seconds for which a connection may stand idle between two requests: longer than in the pools of usual
    #: clients, since a request fails that crosses with the end of its connection.
    idle_s: int = 75
    #: Seconds for the head of a request, from its first byte, or for the first one from the connection's begin.
    head_s: float = 10.0
    #: Bytes of a head, counted as HTTP/2 does: each field's name and value, and 32 more.
    head_max_bytes: int = 32 << 10
    #: Seconds that a body may take to come, and one more for each so many bytes; an answer is to be taken as fast.
    patience_s: float = 10.0
    slowest_bytes_s: int = 1 << 10
    #: Bytes of all bodies together that are under way; more are answered with 429.
    bodies_max_bytes: int = 256 << 20


class ConsoleSettings(JobstoreClientSettings):
    """Settings of the console. Addresses are host:port."""

    #: The console's own token, for the one watch that feeds all viewers; requests use their callers' tokens.
    console_token: SecretSetting | None = None
    #: An administrator's, in place of `console_token`: consoles of 0.2.0 had no other.
    token: SecretSetting | None = None
    #: Seals session cookies; the same in every console. And how long a session lasts.
    session_secret: KeySetting
    session_s: float = 7 * 86_400.0
    #: A provider of OpenID Connect at which people sign in, the console's client there, the secret that the provider
    #: gave it, if any, and the provider's name on the page.
    oidc_issuer: Address | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_name: str = ""
    #: Where the trace of a job is shown, with `{trace_id}` in it, and `{job_id}` where that is wanted.
    trace_url: Annotated[str, AfterValidator(check_trace_url)] | None = None
    http_address: str = "127.0.0.1:8080"
    #: The largest body of a request; a batch may have eight times as much.
    payload_max_bytes: DoorLimit = PAYLOAD_MAX_BYTES
    #: Event streams open at once; more are answered with 503.
    viewers_max: int = 5_000
    #: Connections open at once, streams among them; more are answered with 503, and closed.
    connections_max: int = 10_000

    @property
    def own_token(self) -> str:
        """The token that the console calls with for itself."""
        own = self.console_token or self.token
        assert own is not None
        return own.first

    @model_validator(mode="after")
    def _check_sign_in(self) -> Self:
        if self.oidc_issuer is not None and not self.oidc_client_id:
            raise ValueError("SIGNOFF_OIDC_ISSUER needs SIGNOFF_OIDC_CLIENT_ID")
        return self

    @model_validator(mode="after")
    def _require_own_token(self) -> Self:
        if self.console_token is None and self.token is None:
            raise ValueError("SIGNOFF_CONSOLE_TOKEN is required")
        return self
