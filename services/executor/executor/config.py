"""Declare the executor's settings."""

from pydantic import Field

from contracts.resources import PAYLOAD_MAX_BYTES
from executor.progress import PROGRESS_INTERVAL_S
from servicekit.process.settings import Secret, WorkerSettings


class Settings(WorkerSettings):
    """Settings of the executor, each SIGNOFF_<NAME> in the environment.

    `agent_networks` are the only ones besides the public internet in which agents may live: CIDR, comma-separated.
    `poll_max_s` is the longest time between two polls of an asynchronous agent's work, unless it asks for another.
    """

    executor_token: Secret
    agent_networks: str = ""
    payload_max_bytes: int = PAYLOAD_MAX_BYTES
    result_max_bytes: int = PAYLOAD_MAX_BYTES
    poll_max_s: float = Field(5.0, gt=0)
    progress_interval_s: float = Field(PROGRESS_INTERVAL_S, ge=0)
