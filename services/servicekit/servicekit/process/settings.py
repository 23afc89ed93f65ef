"""What every service can be set to, through environment variables that begin with SIGNOFF_."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings that all services share. Addresses are host:port."""

    model_config = SettingsConfigDict(env_prefix="SIGNOFF_", extra="ignore")

    kafka: str = "localhost:9092"
    health_address: str | None = None
    log_level: str = "INFO"
    grace_s: float = 20.0


class WorkerSettings(ServiceSettings):
    """Settings of a service that works under leases of the jobstore."""

    jobstore: str = "localhost:50051"
    worker_token: str
    capacity: int = 1_000
    #: Outcomes held until they are known to be recorded; beyond it nothing more is taken.
    outcomes_max: int = 20_000


def split_address(address: str) -> tuple[str, int]:
    """The host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
