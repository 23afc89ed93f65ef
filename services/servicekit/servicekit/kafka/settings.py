"""Declare the settings by which Kafka is reached, once for all services and tools."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, SecretStr, model_validator

from signoff.tls import Tls, make_context, name_tls


class Security(StrEnum):
    """How connections to brokers are secured, in Kafka's words."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self in {Security.SSL, Security.SASL_SSL}

    @property
    def has_user(self) -> bool:
        """Whether brokers ask for a user, besides a certificate."""
        return self in {Security.SASL_PLAINTEXT, Security.SASL_SSL}


class Mechanism(StrEnum):
    """How a user proves to a broker who it is, in Kafka's words."""

    SCRAM_SHA_512 = "SCRAM-SHA-512"
    PLAIN = "PLAIN"
    OAUTHBEARER = "OAUTHBEARER"


class KafkaFields(BaseModel):
    """The settings by which Kafka is reached; addresses are host:port, with commas between.

    Files are read again when they change: the CAs that vouch for brokers (`kafka_ca`; None: the system's), the client's
    certificate with its key, the password, and the token of OAUTHBEARER.
    """

    kafka: str = "localhost:9092"
    kafka_security: Security = Security.PLAINTEXT
    kafka_mechanism: Mechanism = Mechanism.SCRAM_SHA_512
    kafka_user: str = ""
    kafka_password: SecretStr | None = None
    kafka_password_file: Path | None = None
    kafka_token_file: Path | None = None
    kafka_ca: Path | None = None
    kafka_certificate: Path | None = None
    kafka_key: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Leave out empty values, as Compose sets variables that .env does not have."""
        return {name: value for name, value in values.items() if value or not name.startswith("kafka_")}

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        """Refuse what the chosen security lacks, and what it makes no use of, which it was meant to."""
        used = dict.fromkeys(_OF_TLS, False) if self.kafka_security.has_tls else {}
        if self.kafka_security.has_user:
            used |= dict.fromkeys(_OF_MECHANISM[self.kafka_mechanism], True)
        for name in (*_OF_TLS, *_OF_USERS):
            value = getattr(self, name)
            if value and name not in used:
                raise ValueError(
                    f"{_name(name)} is set, and {self._describe()} makes no use of it: correct one of them"
                )
            if used.get(name) and not value:
                raise ValueError(f"{self._describe()} needs {_name(name)}")
        if (self.kafka_certificate is None) != (self.kafka_key is None):
            raise ValueError("SIGNOFF_KAFKA_CERTIFICATE and SIGNOFF_KAFKA_KEY go together: set both, or none")
        if self.kafka_security.has_tls:
            try:
                make_context(name_tls(self.kafka_ca, self.kafka_certificate, self.kafka_key) or Tls())
            except OSError as error:
                files = ", ".join(_name(name) for name in _OF_TLS)
                raise ValueError(f"a file of {files} cannot be used: {error}") from None
        return self

    def _describe(self) -> str:
        mechanism = f" with SIGNOFF_KAFKA_MECHANISM={self.kafka_mechanism}" if self.kafka_security.has_user else ""
        return f"SIGNOFF_KAFKA_SECURITY={self.kafka_security}{mechanism}"


_OF_TLS: Final = ("kafka_ca", "kafka_certificate", "kafka_key")
_OF_USERS: Final = ("kafka_user", "kafka_password", "kafka_token_file")
_OF_MECHANISM: Final[Mapping[Mechanism, tuple[str, ...]]] = {
    Mechanism.SCRAM_SHA_512: ("kafka_user", "kafka_password"),
    Mechanism.PLAIN: ("kafka_user", "kafka_password"),
    Mechanism.OAUTHBEARER: ("kafka_token_file",),
}


def _name(field: str) -> str:
    return f"SIGNOFF_{field}".upper()
