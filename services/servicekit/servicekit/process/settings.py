"""Declare the settings that services share, environment variables that begin with SIGNOFF_."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings that all services share. Addresses are host:port; `grace_s` is how long stopping may take."""

    model_config = SettingsConfigDict(env_prefix="SIGNOFF_", extra="ignore")

    kafka: str = "localhost:9092"
    health_address: str | None = None
    log_level: str = "INFO"
    grace_s: float = 20.0


class WorkerSettings(ServiceSettings):
    """Settings of a service that works under leases of the jobstore. `capacity` is how many it holds at once."""

    jobstore: str = "localhost:50051"
    worker_token: str
    capacity: int = 1_000
    #: Outcomes kept until they are known to be recorded; beyond it nothing more is taken.
    outcomes_max: int = 20_000


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; an empty host is 127.0.0.1, and brackets around IPv6 are left out."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
