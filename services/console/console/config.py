"""The settings of the console, read from environment variables that begin with SIGNOFF_."""

from contracts.resources import PAYLOAD_MAX_BYTES
from servicekit.process.settings import Secret, ServiceSettings


class ConsoleSettings(ServiceSettings):
    """Settings of the console. Addresses are host:port."""

    jobstore: str = "localhost:50051"
    #: The console's own token, for the one watch that feeds all viewers; requests use their callers' tokens.
    token: Secret
    http_address: str = "127.0.0.1:8080"
    #: The largest body of a request; a batch may have eight times as much.
    payload_max_bytes: int = PAYLOAD_MAX_BYTES
    #: Event streams open at once; more are answered with 503.
    viewers_max: int = 5_000
