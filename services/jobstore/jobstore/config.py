"""Settings of the jobstore and of its tools, from the environment."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self, TypeAlias

from pydantic import AfterValidator, Field, PlainValidator, SecretStr, field_validator, model_validator

from contracts.judging.policy import Reference
from contracts.resources import Policy
from contracts.signing import FactKeys, Secrets
from contracts.topics import (
    DEAD_LETTERS_MAX_BYTES,
    FACTS_KEPT,
    PAYLOAD_MAX_BYTES,
    SEGMENT_MIN_BYTES,
    WORK_PARTITIONS_MIN,
    DoorLimit,
    TopicBounds,
)
from jobstore.access.sign_in_rules import SignInRules
from jobstore.engine.address import DatabaseAddress
from jobstore.engine.runner import PATIENCE_S
from jobstore.jobs.model import BreakerTerms, IdKey, ReuseTerms
from servicekit.archive.objects import check_place
from servicekit.oidc import Address
from servicekit.process.settings import SecretSetting, ServiceSettings, check_tls
from signoff.status import Delivery
from signoff.tls import Tls


def _check_pairs(text: SecretStr) -> SecretStr:
    Secrets.parse(text.get_secret_value())
    return text


def _check_database(url: SecretStr | None) -> SecretStr | None:
    if url is not None:
        DatabaseAddress(url.get_secret_value())
    return url


def _check_upstreams(text: SecretStr) -> SecretStr:
    Secrets.parse_upstreams(text.get_secret_value())
    return text


def _read_rules(path: str) -> SignInRules:
    try:
        return SignInRules.parse(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _split_paths(text: str) -> list[Path]:
    return [Path(each.strip()) for each in text.split(",") if each.strip()]


def _to_age(age_s: float | None) -> timedelta | None:
    return None if age_s is None else timedelta(seconds=age_s)


#: The shortest age, in seconds, after which records may go.
AGE_MIN_S: Final = 60.0

ArchivePlace: TypeAlias = Annotated[str, AfterValidator(check_place)]
DatabaseUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_check_database)]


class Settings(ServiceSettings):
    """Settings of the jobstore: SIGNOFF_<NAME> in the environment. Names say units: `_s` is seconds."""

    database_url: DatabaseUrl = SecretStr("postgresql+asyncpg://signoff:signoff@localhost:5432/signoff")
    #: By which the tables are migrated, and their use is granted to the role of the other; None: that one does both.
    migrate_database_url: Annotated[SecretStr | None, AfterValidator(_check_database)] = None
    database_pool: int = 12
    #: How long a record may fail, while others can be written, until it goes to the dead-letter queue.
    database_patience_s: float = PATIENCE_S
    grpc_address: str = "127.0.0.1:50051"
    #: Files in PEM of a certificate and its key, by which gRPC is served by TLS; with those of CAs, clients need a
    #: certificate that one of them signed.
    grpc_certificate: Path | None = None
    grpc_key: Path | None = None
    grpc_client_ca: Path | None = None
    #: The bearer tokens of the administrator `bootstrap`, of executors, of validators and of consoles.
    token: SecretSetting
    executor_token: SecretSetting
    validator_token: SecretSetting
    console_token: SecretSetting | None = None
    #: A provider of OpenID Connect at which people sign in; its clients of the console and of the command line, of
    #: which the second is the first unless it is set; and the file of rules that says what they may.
    oidc_issuer: Address | None = None
    oidc_client_id: str = ""
    oidc_device_client_id: str = ""
    oidc_rules: Annotated[SignInRules, PlainValidator(_read_rules)] | None = None
    #: The secrets that reports and facts are signed with: pairs `id:base64`. The first signs, all verify.
    secrets: Annotated[SecretStr, AfterValidator(_check_pairs)]
    #: The key from which unpredictable ids are derived: base64 of 32 bytes. It never changes.
    id_key: SecretStr
    #: Pairs `id:base64`, or `id@tenant+tenant:base64` for these tenants alone. Once there are any, requests and cancels
    #: that come by topics must be signed under one.
    upstream_secrets: Annotated[SecretStr, AfterValidator(_check_upstreams)] | None = None
    #: Whether calls for payloads are kept in the audit, too: an entry a call.
    audit_reads: bool = False
    #: How many calls, and watches, each role may have under way; more are refused.
    calls_max: int = 1_000
    watches_max: int = 10_000
    #: How long a lease lasts unless it is renewed, and how long an offer may stay unclaimed before it is repeated.
    lease_s: float = 15.0
    offer_again_s: float = 10.0
    #: How long a partition with unread records may stand still until it is reported (`signoff doctor`, metrics).
    stalled_after_s: float = Field(30.0, gt=0)
    payload_max_bytes: DoorLimit = PAYLOAD_MAX_BYTES
    #: Where facts are archived: a directory, or a URL (s3://bucket/prefix, gs://, az://). None: nowhere, and nothing is
    #: removed. And how often that is done.
    archive: ArchivePlace | None = None
    archive_every_s: float = Field(60.0, ge=1, le=3_600)
    #: How long the last entry of a removed job stays, and its id taken: 30 days at least.
    removed_kept_s: float = Field(400 * 86_400.0, ge=30 * 86_400.0)
    #: How often a checkpoint is written into the archive, and how long older ones are kept there. None: for ever.
    checkpoint_every_s: float = Field(86_400.0, ge=AGE_MIN_S)
    archive_kept_s: float | None = Field(None, ge=AGE_MIN_S)
    #: The groups, with commas between, that have read facts before these leave their topics.
    facts_groups: str = ""
    create_topics: bool = True
    topic_replication: int = 1
    #: The partitions of topics of work; more are made at a start, and none are taken away.
    work_partitions: int = Field(WORK_PARTITIONS_MIN, ge=WORK_PARTITIONS_MIN, le=1_000)
    #: How long topics of work keep records, where that is less than the catalogue says, and likewise their dead
    #: letters; and how many bytes of these there may be of each topic. None: as the catalogue says.
    work_kept_s: float | None = Field(None, ge=AGE_MIN_S)
    dead_letters_kept_s: float | None = Field(None, ge=AGE_MIN_S)
    dead_letters_max_bytes: int = Field(DEAD_LETTERS_MAX_BYTES, ge=4 * SEGMENT_MIN_BYTES)
    #: How long facts stay in their topics, at least, once a checkpoint of the archive has them.
    facts_kept_s: float = Field(FACTS_KEPT.total_seconds(), ge=AGE_MIN_S)
    #: Folders on disks that this jobstore sees, with commas between; how many bytes the database may have; and the
    #: share of one of these, or of a broker's disk, from which on no new work is taken.
    disks: str = ""
    database_max_bytes: int | None = Field(None, gt=0)
    storage_full_at: float = Field(0.95, gt=0.1, le=1.0)
    #: The default policy (contracts.resources.Policy).
    max_submissions: int = 3
    max_calls: int = 3
    attempt_timeout_s: float = 300.0
    deadline_s: float | None = None
    connect_timeout_s: float = 5.0
    queue_timeout_s: float | None = None
    heartbeat_timeout_s: float = 60.0
    judging_timeout_s: float | None = None
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0
    backoff_factor: float = 2.0
    #: By name, or `name@version`: by which jobs are judged whose own policy, and whose agent's, name none.
    judge_policy: Reference | None = None
    criteria_set: Reference | None = None
    circuit_failures: int = 5
    circuit_open_first_s: float = 5.0
    circuit_open_max_s: float = 300.0
    verdict_reuse_age_s: float = 86_400.0
    result_reuse_age_s: float = 86_400.0
    #: How many results and verdicts are remembered.
    reuse_max: int = 100_000

    @field_validator("archive", "migrate_database_url", "grpc_certificate", "grpc_key", "grpc_client_ca", mode="before")
    @classmethod
    def _leave_out_empty(cls, url: object) -> object:
        return url or None  # as Compose sets a variable that .env does not have

    @field_validator("disks")
    @classmethod
    def _check_disks(cls, disks: str) -> str:
        missing = [str(path) for path in _split_paths(disks) if not path.exists()]
        if missing:
            raise ValueError(f"there is no {', '.join(missing)}: mount it where the jobstore sees it, or leave it out")
        return disks

    @field_validator("id_key")
    @classmethod
    def _check_id_key(cls, key: SecretStr) -> SecretStr:
        IdKey.parse(key.get_secret_value())
        return key

    @model_validator(mode="after")
    def _check_sign_in(self) -> Self:
        """Refuse a provider without a client or rules, by which nobody could sign in."""
        if self.oidc_issuer is not None and (not self.oidc_client_id or self.oidc_rules is None):
            raise ValueError("SIGNOFF_OIDC_ISSUER needs SIGNOFF_OIDC_CLIENT_ID and SIGNOFF_OIDC_RULES")
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        """Refuse files of TLS that cannot be used, or CAs of clients without a certificate to be shown to these."""
        if self.grpc_tls is not None:
            if self.grpc_certificate is None or self.grpc_key is None:
                raise ValueError("TLS needs both files, SIGNOFF_GRPC_CERTIFICATE and SIGNOFF_GRPC_KEY")
            check_tls(self.grpc_tls)
        return self

    @property
    def grpc_tls(self) -> Tls | None:
        """The files of TLS; None: gRPC is served without."""
        tls = Tls(self.grpc_client_ca, self.grpc_certificate, self.grpc_key)
        return None if tls == Tls(None) else tls

    @property
    def ids(self) -> IdKey:
        """The key from which unpredictable ids are derived."""
        return IdKey.parse(self.id_key.get_secret_value())

    @property
    def disk_paths(self) -> list[Path]:
        """Folders on the disks whose fullness is measured."""
        return _split_paths(self.disks)

    @property
    def topic_bounds(self) -> TopicBounds:
        """How long topics keep records, and how many bytes."""
        return TopicBounds(
            _to_age(self.work_kept_s),
            _to_age(self.dead_letters_kept_s),
            self.dead_letters_max_bytes,
            timedelta(seconds=self.facts_kept_s),
        )

    @property
    def upstreams(self) -> Secrets | None:
        """The secrets of upstreams; None: requests by topics need no signature."""
        text = self.upstream_secrets
        return None if text is None else Secrets.parse_upstreams(text.get_secret_value())

    @property
    def breaker(self) -> BreakerTerms:
        """When an agent's circuit opens, and for how long."""
        return BreakerTerms(
            failures=self.circuit_failures, open_first_s=self.circuit_open_first_s, open_max_s=self.circuit_open_max_s
        )

    @property
    def reuse(self) -> ReuseTerms:
        """For how long, and how many, results and verdicts are kept for reuse."""
        return ReuseTerms(
            verdict_age_s=self.verdict_reuse_age_s, result_age_s=self.result_reuse_age_s, entries_max=self.reuse_max
        )

    @property
    def policy(self) -> Policy:
        """The policy whose fields apply to a job if neither the job nor its agent sets them."""
        fields = {name: getattr(self, name) for name in Policy.model_fields if name in type(self).model_fields}
        return Policy(**fields, delivery=Delivery.AT_LEAST_ONCE, judge=self.judge_policy)


class KeyedSettings(ServiceSettings):
    """Settings with keys of facts, those of the secrets before others; each the newest first. One must be given."""

    secrets: Annotated[SecretStr, AfterValidator(_check_pairs)] | None = None
    fact_keys: Annotated[SecretStr, AfterValidator(_check_pairs)] | None = None

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.secrets is None and self.fact_keys is None:
            raise ValueError("SIGNOFF_SECRETS or SIGNOFF_FACT_KEYS is required")
        return self

    @property
    def keys(self) -> FactKeys:
        """The keys of facts."""
        derived = [*FactKeys.derive(Secrets.parse(self.secrets.get_secret_value()))] if self.secrets else []
        others = [*FactKeys.parse(self.fact_keys.get_secret_value())] if self.fact_keys else []
        return FactKeys([*derived, *(key for key in others if key not in derived)])


class RebuildSettings(KeyedSettings):
    """Settings of a rebuild. A URL with a password belongs in the environment, not on the command line."""

    database_url: DatabaseUrl
    create_database: bool = False
    accept_gaps: bool = False
    #: Where facts are archived, and checkpoints are, or backups, if these are elsewhere; and the number of the one at
    #: which the rebuild begins, or `newest`: that must be there. None: it begins at the newest, or at the first fact.
    archive: str = ""
    backup: str = ""
    checkpoint: Annotated[str, Field(pattern="^[0-9]{1,12}$|^newest$")] | None = None


class BackupSettings(KeyedSettings):
    """Settings of a backup: what is backed up, and where to."""

    database_url: DatabaseUrl
    archive: str
    #: How long older backups are kept once there is a newer one; None: for ever.
    archive_kept_s: float | None = Field(None, ge=AGE_MIN_S)


class VerifySettings(ServiceSettings):
    """Settings of `verify`: URLs of the rebuilt and of the live database; with `fact_keys`, facts are checked, too."""

    rebuilt_url: DatabaseUrl
    live_url: DatabaseUrl
    fact_keys: Annotated[SecretStr, AfterValidator(_check_pairs)] | None = None
    #: Where facts are archived, that are read before those of the topics.
    archive: ArchivePlace | None = None
