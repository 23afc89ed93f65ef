"""Declare the executor's settings."""

from pathlib import Path

from pydantic import Field

from contracts.spending import CALL_COST_MAX_USD
from contracts.topics import PAYLOAD_MAX_BYTES, DoorLimit
from executor.handlers import PROGRESS_INTERVAL_S
from servicekit.process.settings import SecretSetting, WorkerSettings
from signoff.fields import Money


class Settings(WorkerSettings):
    """Settings of the executor, each SIGNOFF_<NAME> in the environment.

    `agent_networks` lists, comma-separated, the networks (CIDR) and servers (`host:port`) in which agents may be
    besides the public internet. `agent_header_dir` is the folder of the files to which headers of agents refer.
    `call_cost_max_usd` is the highest cost that is counted for one call, whatever the agent reports. `poll_max_s` is
    the longest time between two polls of an asynchronous agent's work, unless the agent asks for another.
    """

    executor_token: SecretSetting
    agent_networks: str = ""
    agent_header_dir: Path | None = None
    payload_max_bytes: DoorLimit = PAYLOAD_MAX_BYTES
    result_max_bytes: DoorLimit = PAYLOAD_MAX_BYTES
    poll_max_s: float = Field(5.0, gt=0)
    progress_interval_s: float = Field(PROGRESS_INTERVAL_S, ge=0)
    call_cost_max_usd: Money = CALL_COST_MAX_USD
