"""Declare the settings that services share, environment variables that begin with SIGNOFF_, and read secrets."""

import contextlib
import os
import re
import resource
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Self, TypeVar, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.signing import decode_base64
from servicekit.errors import PermanentError
from servicekit.kafka.settings import KafkaFields
from servicekit.leasing.worker import LEASE_BYTES
from servicekit.logs import parse_levels
from servicekit.process.memory import find_memory
from signoff.errors import ErrorCode
from signoff.tls import Tls, make_context, name_tls

#: Files that a process opens besides the connections of its calls.
OTHER_FILES: Final = 256
#: Characters of a secret at least, so that it cannot be guessed.
SECRET_MIN_CHARS: Final = 32
#: Bytes of a key.
KEY_BYTES: Final = 32
#: Characters that any header may carry, among them those of base64 and hexadecimal numbers.
_HEADER_SAFE: Final = re.compile(r"[A-Za-z0-9._~+/:=-]+")

AnySettings = TypeVar("AnySettings", bound=BaseSettings)


class SecretSetting(SecretStr):
    """A secret, or two while one is replaced, with a comma or white space between: the first is used, both are valid.

    Declare a secret in settings as `token: SecretSetting`, or as `token: SecretSetting | None = None` if it may be
    missing. It is read from SIGNOFF_TOKEN, or from the file that SIGNOFF_TOKEN_FILE names, and is never shown.
    `describe_fault` checks it, and no value of it may be in another secret of the settings. A plain SecretStr, for
    secrets that others issue, is read and hidden in the same way, but is not checked.
    """

    #: The remedy of a fault.
    remedy: ClassVar = "`openssl rand -hex 32` makes one"

    @property
    def values(self) -> tuple[str, ...]:
        """The valid values, of which the first is used."""
        return tuple(self.get_secret_value().replace(",", " ").split())

    @property
    def first(self) -> str:
        """The value that is used."""
        return self.values[0]

    def describe_fault(self) -> str | None:
        """Return what is wrong with the secret, without showing the secret; None if nothing is wrong."""
        if not self.values:
            return "is empty"
        if any(len(value) < SECRET_MIN_CHARS for value in self.values):
            return f"has fewer than {SECRET_MIN_CHARS} characters"
        if not all(_HEADER_SAFE.fullmatch(value) for value in self.values):
            return "has characters other than letters, digits and - . _ ~ + / : ="
        return "has the same value twice" if len(set(self.values)) < len(self.values) else None


class KeySetting(SecretSetting):
    """A secret of which each value is a key of KEY_BYTES bytes in base64."""

    remedy = "`openssl rand -base64 32` makes one"

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The valid keys, of which the first is used. Raise ValueError if a value is not base64."""
        return tuple(decode_base64(value) for value in self.values)

    def describe_fault(self) -> str | None:
        """Return what is wrong with the keys, without showing the keys; None if nothing is wrong."""
        with contextlib.suppress(ValueError):
            if all(len(key) == KEY_BYTES for key in self.keys):
                return super().describe_fault()
        return f"is not {KEY_BYTES} bytes in base64"


class EnvironmentSettings(BaseSettings):
    """Settings from environment variables; secrets among them may be in files, and are checked."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read each secret whose variable `<NAME>_FILE` is set from the file that it names; an empty one has none."""
        for name, field in cls.model_fields.items():
            variable = f"{_name_variable(cls, name)}_FILE"
            path = os.environ.get(variable) if _is_secret(field.annotation) else None
            if path and values.get(name):
                raise ValueError(f"{_name_variable(cls, name)} and {variable} are both set: set one of them")
            if path:
                try:
                    text = Path(path).read_text().strip()
                except (OSError, UnicodeDecodeError) as error:
                    raise ValueError(f"{variable} names a file that cannot be read: {error}") from None
                if text:
                    values[name] = text
        return values

    @model_validator(mode="after")
    def _check_secrets(self) -> Self:
        """Refuse a secret that `describe_fault` finds wrong, or that shares a value with another secret."""
        names: dict[str, str] = {}
        for name in type(self).model_fields:
            secret, variable = getattr(self, name), _name_variable(type(self), name)
            if not isinstance(secret, SecretSetting):
                continue
            same = next((names[value] for value in secret.values if value in names), None)
            if fault := secret.describe_fault() or (same and f"has a value of {same}"):
                raise ValueError(f"{variable} {fault}: {secret.remedy}")
            names |= dict.fromkeys(secret.values, variable)
        return self


class ServiceSettings(KafkaFields, EnvironmentSettings):
    """Settings that all services share. Addresses are host:port; `grace_s` is how long stopping may take."""

    model_config = SettingsConfigDict(env_prefix="SIGNOFF_")

    #: Read by contracts.topics, too.
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,150}$")
    health_address: str | None = None
    #: Wanted by /metrics, which shows then what tenants and agents did, each by its name.
    metrics_token: SecretSetting | None = None
    #: Such as `INFO requests=DEBUG`; the file is looked at each second, and has precedence while it is there.
    log_level: str = "INFO"
    log_level_file: Path | None = None
    grace_s: float = 20.0

    @field_validator("log_level")
    @classmethod
    def _check_level(cls, text: str) -> str:
        parse_levels(text)
        return text

    @field_validator("log_level_file", mode="before")
    @classmethod
    def _leave_out_no_file(cls, name: object) -> object:
        return name or None

    @property
    def of_logs(self) -> dict[str, Any]:
        """The settings that `runtime.run` takes."""
        return {"log_level": self.log_level, "log_level_file": self.log_level_file}

    @property
    def metrics_tokens(self) -> tuple[str, ...]:
        """The tokens that open /metrics; none: it is open."""
        return () if self.metrics_token is None else self.metrics_token.values


class JobstoreClientSettings(ServiceSettings):
    """Settings of a service that calls jobstores."""

    #: Addresses host:port, with commas between; a name may be of several jobstores.
    jobstore: str = "localhost:50051"
    #: By TLS: the file of the CA that signed the jobstores' certificates, or `system`; and a certificate with its key,
    #: where jobstores ask for one. All in PEM.
    jobstore_ca: str | None = None
    jobstore_certificate: Path | None = None
    jobstore_key: Path | None = None

    @field_validator("jobstore_ca", "jobstore_certificate", "jobstore_key", mode="before")
    @classmethod
    def _leave_out_empty_file(cls, name: object) -> object:
        return name or None  # as Compose sets a variable that .env does not have

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.jobstore_tls is not None:
            check_tls(self.jobstore_tls)
        return self

    @property
    def jobstore_tls(self) -> Tls | None:
        """The files of TLS; None: jobstores are called without."""
        return name_tls(self.jobstore_ca, self.jobstore_certificate, self.jobstore_key)


class Capacity(NamedTuple):
    """How many leases a worker holds at once, what bounds them, and the bytes of memory that each stands for.

    `bound` is `memory`, `files` (that may be open: each call under way is a connection) or `setting`.
    """

    leases: int
    bound: str
    lease_bytes: int


class WorkerSettings(JobstoreClientSettings):
    """Settings of a service that works under leases of the jobstore.

    `capacity` is how many leases it holds at once: 0 means as many as its memory allows, and so does none at a service
    whose `grows`; it is never less than the default then.
    """

    #: Whether there are more leases than by default where there is memory for them.
    grows: ClassVar = False

    capacity: int = 1_000
    #: Bytes of memory that work under way may take. Without it, a half of what the container may take besides the
    #: process itself or, without a container, a sixteenth of what the machine has.
    work_max_bytes: int | None = Field(None, ge=1)
    #: Outcomes kept until they are known to be recorded; beyond it nothing more is taken.
    outcomes_max: int = 20_000

    def find_capacity(self) -> Capacity:
        """Return how much work this process holds at once: by its settings, its memory and the files it may open."""
        work_bytes = self.work_max_bytes or find_memory().work_bytes
        leases, bound = self.capacity, "setting"
        if not leases or (self.grows and "capacity" not in self.model_fields_set):
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            # Where there is no limit it is negative. A third is for judgings without a job.
            of_files = (files - OTHER_FILES) * 2 // 3 if files >= 0 else work_bytes
            by_memory = work_bytes // LEASE_BYTES
            bound = "memory" if by_memory <= of_files else "files"
            leases = max(type(self).model_fields["capacity"].default, min(by_memory, of_files))
        return Capacity(leases, bound, max(LEASE_BYTES, work_bytes // leases))


def check_tls(tls: Tls) -> None:
    """Raise ValueError, with what to do, if the files of TLS cannot be used."""
    try:
        make_context(tls)
    except OSError as error:
        raise ValueError(str(error)) from None


def load_settings(kind: type[AnySettings]) -> AnySettings:
    """Load settings. Raise PermanentError if some are missing or wrong; its message names each, without values."""
    try:
        return kind()
    except ValidationError as error:
        message = "; ".join(_describe(kind, item) for item in error.errors(include_input=False, include_url=False))
        raise PermanentError(message, code=ErrorCode.BAD_SETTINGS) from None


def read_settings(kind: type[AnySettings]) -> AnySettings:
    """Load the settings, or end the process with a sentence that names the settings that are missing or wrong."""
    try:
        return load_settings(kind)
    except PermanentError as error:
        raise SystemExit(f"error: {error}") from None


def _describe(kind: type[BaseSettings], error: Any) -> str:
    message: str = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    variable = _name_variable(kind, str(error["loc"][0]))
    return f"{variable} is required" if error["type"] == "missing" else f"{variable} is not valid: {message}"


def _name_variable(kind: type[BaseSettings], field: str) -> str:
    return f"{kind.model_config['env_prefix']}{field}".upper()


def _is_secret(annotation: Any) -> bool:
    is_one = isinstance(annotation, type) and issubclass(annotation, SecretStr)
    return is_one or any(map(_is_secret, get_args(annotation)))  # beside None, and as Annotated


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; an empty host becomes 127.0.0.1, and brackets around an IPv6 address are removed."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
