"""What the console can be set to, through environment variables that begin with SIGNOFF_."""

from pydantic import SecretStr

from contracts.resources import PAYLOAD_MAX_BYTES
from servicekit.process.settings import ServiceSettings


class ConsoleSettings(ServiceSettings):
    """Settings of the console. Addresses are host:port."""

    jobstore: str = "localhost:50051"
    #: The console's own, for the one watch that feeds all viewers; callers bring theirs.
    token: SecretStr
    http_address: str = "127.0.0.1:8080"
    payload_max_bytes: int = PAYLOAD_MAX_BYTES
    viewers_max: int = 5_000
