"""Sign records, and derive the keys of leases, of upstreams and of facts by which records are signed."""

import base64
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, Self, TypeVar
from uuid import UUID

from contracts.topic_prefix import bare_name

#: The Kafka header that carries a signature.
SIGNATURE_HEADER: Final = "signoff-signature"
#: Bytes of a secret at least: as many as the hash has.
SECRET_BYTES_MIN: Final = 32
#: Characters of a MAC, in hexadecimal.
MAC_CHARACTERS: Final = 64
_VERSION: Final = "v1"
SECRET_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_TENANTS: Final = re.compile(r"[a-z0-9-]{1,40}(\+[a-z0-9-]{1,40})*")
_SIGNATURE: Final = re.compile(
    rf"{_VERSION},({SECRET_ID.pattern}),([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}),([0-9]{{1,10}}),([0-9a-f]{{{MAC_CHARACTERS}}})"
)


class KeyUse(StrEnum):
    """What a key signs: the reports under a lease for executing or judging, or a request of an upstream.

    JUDGING_ALONE: the outcome of a judging without a job. TASK: that of an executor's task which is no execution.
    """

    EXECUTING = "executing"
    JUDGING = "judging"
    JUDGING_ALONE = "judging alone"
    TASK = "task"
    EXECUTE = "execute"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the configuration. Its id is public, and stands in each signature.

    `tenants` are those in whose names an upstream may request with it; None: all.
    """

    id: str
    value: bytes = field(repr=False)
    tenants: frozenset[str] | None = None

    def derive(self, purpose: str) -> bytes:
        """Derive the key for a purpose, named by a text that no other purpose has."""
        return hmac.digest(self.value, purpose.encode(), "sha256")


class Signature(NamedTuple):
    """A signature as its header has it; `execution` is a UUID in small letters, `mac` is hexadecimal."""

    secret_id: str
    execution: str
    lease: int
    mac: str

    @property
    def execution_id(self) -> UUID:
        """The execution's id."""
        return UUID(self.execution)

    @classmethod
    def parse(cls, header: bytes | str | None) -> Self | None:
        """Return the signature in a header's value; None if the value has another form."""
        text = header.decode(errors="replace") if isinstance(header, bytes) else header or ""
        if (match := _SIGNATURE.fullmatch(text)) is None:
            return None
        return cls(match[1], match[2], int(match[3]), match[4])

    def __str__(self) -> str:
        return f"{_VERSION},{self.secret_id},{self.execution},{self.lease},{self.mac}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key of one lease (`lease` 0: of a request), derived from the secret with the id `secret_id`.

    Keys of one lease are equal, whatever secret they come from: `execution_id` and `lease` are the fencing token.
    """

    execution_id: UUID
    lease: int
    secret_id: str = field(compare=False)
    key: bytes = field(repr=False, compare=False)

    def sign(self, value: bytes) -> str:
        """Return the signature of a record's value, as the record's header has it."""
        return str(Signature(self.secret_id, str(self.execution_id), self.lease, compute_mac(self.key, value)))


class Secrets:
    """Secrets in the order of the configuration: the first signs, all verify."""

    def __init__(self, secrets: list[Secret]) -> None:
        if not secrets:
            raise ValueError("at least one secret is needed, as <id>:<base64 of 32 bytes or more>")
        if len({secret.id for secret in secrets}) < len(secrets):
            raise ValueError("two secrets have the same id: each needs one of its own")
        if len({secret.value for secret in secrets}) < len(secrets):
            raise ValueError("two secrets have the same value: make a new one")
        self._secrets = {secret.id: secret for secret in secrets}
        self.signing = secrets[0]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read pairs `id:base64`, separated by commas or white space. Raise ValueError, without showing a secret."""
        return cls([_parse_secret(pair, number) for number, pair in _list_pairs(text)])

    @classmethod
    def parse_upstreams(cls, text: str) -> Self:
        """Read pairs as `parse` does, of which some may be bound to tenants: `id@tenant+tenant:base64`."""
        return cls([_parse_bound_secret(pair, number) for number, pair in _list_pairs(text)])

    def __iter__(self) -> Iterator[Secret]:
        return iter(self._secrets.values())

    def find_tenants(self, secret_id: str) -> frozenset[str] | None:
        """Return the tenants that a secret, by its id, is bound to; None: all."""
        return self._secrets[secret_id].tenants

    def make_key(self, use: KeyUse, execution_id: UUID, lease: int = 0) -> SigningKey:
        """Return the key for one use of a lease (0: of a request), derived from the secret that signs."""
        key = _derive_key(self.signing, use, str(execution_id), lease)
        return SigningKey(execution_id, lease, self.signing.id, key)

    def verify(self, use: KeyUse, signature: Signature, value: bytes) -> bool:
        """Return whether the signature of `value` was made with the key for this use of one of these secrets."""
        secret = self._secrets.get(signature.secret_id)
        if secret is None:
            return False
        key = _derive_key(secret, use, signature.execution, signature.lease)
        return hmac.compare_digest(compute_mac(key, value), signature.mac)


def decode_base64(text: str) -> bytes:
    """Decode base64 of either alphabet of RFC 4648, with or without padding. Raise ValueError for any other text."""
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)


def make_secret(secret_id: str, value: bytes) -> str:
    """Return the text `id:base64` of a secret, as the configuration has it."""
    return f"{secret_id}:{base64.b64encode(value).decode()}"


def _derive_key(secret: Secret, use: KeyUse, execution: str, lease: int) -> bytes:
    return secret.derive(f"signoff,{_VERSION},{use},{execution},{lease}")


def compute_mac(key: bytes, value: bytes) -> str:
    """Return the HMAC-SHA-256 of a value in hexadecimal."""
    return hmac.digest(key, value, "sha256").hex()


def _list_pairs(text: str) -> Iterable[tuple[int, str]]:
    return enumerate(re.split(r"[\s,]+", text.strip()), 1)


def _parse_bound_secret(pair: str, number: int) -> Secret:
    name, colon, encoded = pair.partition(":")
    secret_id, at, tenants = name.partition("@")
    secret = _parse_secret(f"{secret_id}{colon}{encoded}", number)
    if not at:
        return secret
    if _TENANTS.fullmatch(tenants) is None:
        form = f"`{secret.id}@<tenant>+<tenant>:<base64>`"
        raise ValueError(f"the secret {secret.id!r} is bound to no tenants: write {form}, or no `@`")
    return replace(secret, tenants=frozenset(tenants.split("+")))


def _parse_secret(pair: str, number: int) -> Secret:
    secret_id, colon, encoded = pair.partition(":")
    if not colon or SECRET_ID.fullmatch(secret_id) is None:  # perhaps a secret alone, which no message may show
        raise ValueError(f"secret {number} has no id: write <id>:<base64>, the id of letters, digits, `.`, `_` and `-`")
    try:
        value = decode_base64(encoded)
    except ValueError:
        raise ValueError(f"the secret {secret_id!r} is not base64") from None
    if len(value) < SECRET_BYTES_MIN:
        raise ValueError(f"the secret {secret_id!r} has {len(value)} bytes; make one with `openssl rand -base64 32`")
    return Secret(secret_id, value)


#: The Kafka header of a record that is no fact: from here on in its partition, no older secret vouches for facts.
MARKER_HEADER: Final = "signoff-marker"
_FACT_VERSION: Final = "v2"
_FACT_SIGNATURE: Final = re.compile(rf"{_FACT_VERSION},{SECRET_ID.pattern},[0-9a-f]{{{MAC_CHARACTERS}}}".encode())


class Unvouched(StrEnum):
    """The reason why no secret vouches for a record of a topic of facts."""

    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_SECRET = "unknown_secret"  # noqa: S105 - no secret
    #: The signature is right, but a marker of a newer secret stands before the record.
    RETIRED_SECRET = "retired_secret"  # noqa: S105 - no secret


class TopicRecord(Protocol):
    """The fields of a consumed record that its signature is checked by."""

    @property
    def topic(self) -> str: ...  # noqa: D102 - as it is named
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...  # noqa: D102


AnyRecord = TypeVar("AnyRecord", bound=TopicRecord)


@dataclass(frozen=True, slots=True)
class FactKey:
    """The key, derived from one secret, that signs facts."""

    secret_id: str
    key: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The secret's id with a fingerprint of the key: another secret with the same id has another name."""
        return f"{self.secret_id}:{compute_mac(self.key, f'signoff,{_FACT_VERSION},name'.encode())[:16]}"

    def sign(self, topic: str, key: bytes | None, value: bytes | None) -> str:
        """Return the signature of a fact (topic, key and value), as the record's header has it."""
        return self._sign(_join_fact(topic, key, value))

    def make_marker(self, topic: str, partition: int) -> tuple[tuple[str, bytes], ...]:
        """Return the headers of a marker in a partition: behind the marker, no older secret vouches for facts."""
        signature = self._sign(_join_marker(topic, partition))
        return (MARKER_HEADER, _FACT_VERSION.encode()), (SIGNATURE_HEADER, signature.encode())

    def sign_manifest(self, manifest: bytes) -> str:
        """Return the signature of a manifest of the archive or of a checkpoint, which no record can have."""
        return self._sign(f"signoff,{_FACT_VERSION},manifest,".encode() + manifest)

    @property
    def opening(self) -> str:
        """The text before the MAC in each signature by this key."""
        return f"{_FACT_VERSION},{self.secret_id},"

    def has_signed(self, record: TopicRecord, headers: Mapping[str, bytes | None]) -> bool:
        """Return whether the signature of a record (a fact or a marker) is this key's."""
        if MARKER_HEADER in headers:
            message = _join_marker(record.topic, record.partition)
        else:
            message = _join_fact(record.topic, record.key, record.value)
        return hmac.compare_digest(self._sign(message).encode(), headers[SIGNATURE_HEADER] or b"")

    def _sign(self, message: bytes) -> str:
        return f"{self.opening}{compute_mac(self.key, message)}"


class FactKeys:
    """The keys of facts in the order of the secrets, the newest first; the newest signs."""

    def __init__(self, keys: Sequence[FactKey]) -> None:
        self._keys = {key.opening.encode(): key for key in keys}
        if len(self._keys) < len(keys):
            raise ValueError("two keys of facts have the same id, and not the same value")
        self.signing = keys[0]

    @classmethod
    def derive(cls, secrets: Secrets) -> Self:
        """Derive the key of each secret."""
        return cls([FactKey(secret.id, secret.derive("signoff,v1,facts")) for secret in secrets])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read printed keys, as pairs `id:base64`. Raise ValueError, without showing a key, if they are malformed."""
        return cls([FactKey(pair.id, pair.value) for pair in Secrets.parse(text)])

    def __iter__(self) -> Iterator[FactKey]:
        return iter(self._keys.values())

    def __str__(self) -> str:
        return ",".join(make_secret(key.secret_id, key.key) for key in self)

    def find_signer(self, record: TopicRecord, headers: Mapping[str, bytes | None]) -> FactKey | Unvouched:
        """Return the key that signed a record (a fact or a marker), whatever markers precede it; or why no key did.

        `headers` are the record's, by name.
        """
        if SIGNATURE_HEADER not in headers:
            return Unvouched.UNSIGNED
        signature = headers[SIGNATURE_HEADER] or b""
        if (key := self._keys.get(signature[:-MAC_CHARACTERS])) is not None:
            return key if key.has_signed(record, headers) else Unvouched.BAD_SIGNATURE
        return Unvouched.UNKNOWN_SECRET if _FACT_SIGNATURE.fullmatch(signature) else Unvouched.BAD_SIGNATURE

    def find_manifest_signer(self, manifest: bytes, signature: str) -> FactKey | None:
        """Return the key that signed a manifest; None: none of these did."""
        key = self._keys.get(signature[:-MAC_CHARACTERS].encode())
        if key is None or not hmac.compare_digest(key.sign_manifest(manifest).encode(), signature.encode()):
            return None
        return key


class FactFilter:
    """Select the facts for which a secret vouches, and count the others by topic and reason.

    The filter must see each partition from its beginning, in order. Behind a marker, secrets older than the marker's
    vouch for nothing in that partition: a marker that is repeated, or of an older secret, changes nothing.
    """

    def __init__(self, keys: FactKeys) -> None:
        self._keys = keys
        self._ages = {key.secret_id: age for age, key in enumerate(keys)}
        self._oldest: dict[tuple[str, int], int] = {}  # by partition, the age of the oldest secret that vouches
        self._marked: set[int] = set()  # the ages of secrets with markers that counted
        self.left: Counter[tuple[str, Unvouched]] = Counter()

    def begin_behind(self, newest: Mapping[tuple[str, int], str]) -> None:
        """Begin in the midst of partitions: behind a marker of the key that is named for each, before any is selected.

        Raise ValueError if a named key is not known.
        """
        ages = {key.name: age for age, key in enumerate(self._keys)}
        if unknown := sorted({name.partition(":")[0] for name in newest.values() if name not in ages}):
            raise ValueError(f"facts were signed with the secret {unknown[0]!r}, whose key is not given")
        self._oldest |= {place: ages[name] for place, name in newest.items()}
        self._marked |= {*self._oldest.values()}

    def select(self, records: Iterable[AnyRecord]) -> Iterator[AnyRecord]:
        """Yield those of the next records that are facts for which a secret vouches."""
        return (record for record, is_marker in self._vouch(records) if not is_marker)

    def keep(self, records: Iterable[AnyRecord]) -> Iterator[AnyRecord]:
        """Yield those of the next records for which a secret vouches, markers too."""
        return (record for record, _ in self._vouch(records))

    def get_newest(self) -> dict[tuple[str, int], str]:
        """Return the name of the newest key by partition, as its markers show: `begin_behind` goes on with these."""
        names = [key.name for key in self._keys]
        return {place: names[age] for place, age in self._oldest.items()}

    def _vouch(self, records: Iterable[AnyRecord]) -> Iterator[tuple[AnyRecord, bool]]:
        """Yield the records for which a secret vouches, each with whether it is a marker; count the others."""
        for record in records:
            headers = dict(record.headers)
            reason = self._check(record, headers)
            if reason is None:
                yield record, MARKER_HEADER in headers
            else:
                self.left[record.topic, reason] += 1

    def _check(self, record: TopicRecord, headers: Mapping[str, bytes | None]) -> Unvouched | None:
        place = (record.topic, record.partition)
        signer = self._keys.find_signer(record, headers)
        if isinstance(signer, Unvouched):
            return signer
        age = self._ages[signer.secret_id]
        if age > self._oldest.get(place, age):
            return Unvouched.RETIRED_SECRET
        if MARKER_HEADER in headers:
            self._oldest[place] = age
            self._marked.add(age)
        return None

    def describe_left(self) -> dict[str, dict[str, int]]:
        """Return how many records were left out, by topic and reason."""
        described: dict[str, dict[str, int]] = {}
        for (topic, reason), count in sorted(self.left.items()):
            described.setdefault(topic, {})[reason.value] = count
        return described

    def get_signers(self) -> list[str]:
        """Return the names of the keys that have signed facts, as their markers show, the oldest first."""
        return [key.name for age, key in enumerate(self._keys) if age in self._marked][::-1]

    def get_marked(self) -> set[tuple[str, int]]:
        """Return the partitions, as topic and number, with a marker of the newest key whose markers were seen."""
        newest = min(self._marked, default=None)
        return {place for place, age in self._oldest.items() if age == newest}


def is_marker(record: TopicRecord) -> bool:
    """Return whether a record of a topic of facts claims to be a marker, which readers of facts skip."""
    return MARKER_HEADER in dict(record.headers)


def _join_fact(topic: str, key: bytes | None, value: bytes | None) -> bytes:
    """Join the parts of a fact that its signature covers; the length in front shows where the key ends."""
    key = key or b""
    return b"".join([f"signoff,{_FACT_VERSION},fact,{bare_name(topic)},{len(key)},".encode(), key, b",", value or b""])


def _join_marker(topic: str, partition: int) -> bytes:
    return f"signoff,{_FACT_VERSION},marker,{bare_name(topic)},{partition}".encode()
