"""What the jobstore can be set to."""

from contracts.resources import PAYLOAD_MAX_BYTES, Policy
from contracts.status import Delivery
from jobstore.domain.circuit_breaker import BreakerTerms
from jobstore.domain.reuse import ReuseTerms
from servicekit.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the jobstore, each SIGNOFF_<NAME> in the environment."""

    database_url: str = "postgresql+asyncpg://signoff:signoff@localhost:5432/signoff"
    database_pool: int = 12
    grpc_address: str = "127.0.0.1:50051"
    token: str
    worker_token: str
    lease_s: float = 15.0
    offer_again_s: float = 10.0
    payload_max_bytes: int = PAYLOAD_MAX_BYTES
    create_topics: bool = True
    topic_replication: int = 1
    max_submissions: int = 3
    max_attempts: int = 3
    attempt_timeout_s: float = 300.0
    deadline_s: float | None = None
    connect_timeout_s: float = 5.0
    queue_timeout_s: float | None = None
    heartbeat_timeout_s: float = 60.0
    judging_timeout_s: float | None = None
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0
    backoff_factor: float = 2.0
    circuit_failures: int = 5
    circuit_open_first_s: float = 5.0
    circuit_open_max_s: float = 300.0
    verdict_reuse_age_s: float = 86_400.0
    result_reuse_age_s: float = 86_400.0
    reuse_max: int = 100_000

    @property
    def breaker(self) -> BreakerTerms:
        """When the circuit of an agent opens, and for how long."""
        return BreakerTerms(self.circuit_failures, self.circuit_open_first_s, self.circuit_open_max_s)

    @property
    def reuse(self) -> ReuseTerms:
        """What may be reused, and for how long."""
        return ReuseTerms(self.verdict_reuse_age_s, self.result_reuse_age_s, self.reuse_max)

    @property
    def policy(self) -> Policy:
        """What neither a job nor its agent says."""
        return Policy(
            max_submissions=self.max_submissions,
            max_attempts=self.max_attempts,
            attempt_timeout_s=self.attempt_timeout_s,
            deadline_s=self.deadline_s,
            connect_timeout_s=self.connect_timeout_s,
            queue_timeout_s=self.queue_timeout_s,
            heartbeat_timeout_s=self.heartbeat_timeout_s,
            judging_timeout_s=self.judging_timeout_s,
            backoff_first_s=self.backoff_first_s,
            backoff_max_s=self.backoff_max_s,
            backoff_factor=self.backoff_factor,
            delivery=Delivery.AT_LEAST_ONCE,
        )


class RebuildSettings(ServiceSettings):
    """Settings of a rebuild, in the environment likewise: a URL with a password is not for the command line."""

    database_url: str
    create_database: bool = False
    accept_gaps: bool = False


class VerifySettings(ServiceSettings):
    """Settings of a comparison: the URLs of a rebuilt database, and of the live one."""

    rebuilt_url: str
    live_url: str
