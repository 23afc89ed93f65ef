"""The settings of the console, read from environment variables that begin with SIGNOFF_."""

from contracts.sizes import PAYLOAD_MAX_BYTES, DoorLimit
from servicekit.process.settings import KeySetting, SecretSetting, ServiceSettings


class ConsoleSettings(ServiceSettings):
    """Settings of the console. Addresses are host:port."""

    jobstore: str = "localhost:50051"
    #: The console's own token, for the one watch that feeds all viewers; requests use their callers' tokens.
    token: SecretSetting
    #: Seals session cookies; the same in every console. And how long a session lasts.
    session_secret: KeySetting
    session_s: float = 7 * 86_400.0
    http_address: str = "127.0.0.1:8080"
    #: The largest body of a request; a batch may have eight times as much.
    payload_max_bytes: DoorLimit = PAYLOAD_MAX_BYTES
    #: Event streams open at once; more are answered with 503.
    viewers_max: int = 5_000
    #: Connections open at once, streams among them; more are answered with 503, and closed.
    connections_max: int = 10_000
