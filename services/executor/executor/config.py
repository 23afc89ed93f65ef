"""What the executor can be set to."""

from contracts.resources import PAYLOAD_MAX_BYTES
from servicekit.settings import WorkerSettings


class Settings(WorkerSettings):
    """Settings of the executor, each SIGNOFF_<NAME> in the environment.

    `agent_networks` are the only ones besides the public internet in which agents may live: CIDR, comma-separated.
    """

    agent_networks: str = ""
    payload_max_bytes: int = PAYLOAD_MAX_BYTES
    result_max_bytes: int = PAYLOAD_MAX_BYTES
