"""Receipts: signed statements about verdicts, which anybody can verify who has the public key (docs/receipts.md)."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ConfigDict, Field, StringConstraints, ValidationError, model_validator

from contracts.criteria import format_line
from contracts.fields import describe_problem
from contracts.judging.policy import Verdict
from contracts.signing import Secret, Secrets, decode_base64
from signoff import judging
from signoff.errors import ErrorCode
from signoff.fields import Model, Time, optional
from signoff.jsontext import json_text, parse_json
from signoff.judging import CriterionVerdict
from signoff.status import JobStatus, Outcome


class ReceiptError(Exception):
    """A receipt proves nothing; `code` is the stable code of the reason."""

    def __init__(self, message: str, *, code: str = ErrorCode.MALFORMED_RECEIPT) -> None:
        super().__init__(message)
        self.code = code


ALGORITHM: Final = "ed25519"
#: Bytes of a public key.
KEY_BYTES: Final = 32
#: The purpose that a key is derived for: with its seed receipts can be forged, and nothing else that the secret signs.
_PURPOSE: Final = "signoff,v1,receipts"


class PublicKey(judging.ReceiptKey):
    """A key that verifies receipts. Its id follows from it, so that no other key can pass for it."""

    algorithm: str = Field(
        ALGORITHM, description="`ed25519`; a key of another one, which may come, verifies nothing here"
    )

    @classmethod
    def of(cls, value: bytes, secret_id: str | None = None, added_at: datetime | None = None) -> Self:
        """Make a key from its bytes, from which its id follows."""
        encoded = base64.b64encode(value).decode()
        return cls(keyid=make_keyid(value), public_key=encoded, secret_id=secret_id, added_at=added_at)

    @property
    def value(self) -> bytes:
        """The bytes of the key."""
        return decode_base64(self.public_key)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.algorithm != ALGORITHM:
            return self
        try:
            value = self.value
        except ValueError:
            value = b""
        if len(value) != KEY_BYTES:
            raise ValueError(f"public_key is not the base64 of {KEY_BYTES} bytes")
        if self.keyid != make_keyid(value):
            raise ValueError("keyid does not follow from public_key: it is another key's, or was changed")
        return self

    def has_signed(self, signature: bytes, message: bytes) -> bool:
        """Return whether this key made a signature of a message."""
        if self.algorithm != ALGORITHM:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.value).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class ReceiptKey:
    """The key, derived from a secret, with which the jobstore signs receipts."""

    def __init__(self, secret: Secret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret.derive(_PURPOSE))
        self.public = PublicKey.of(self._key.public_key().public_bytes_raw(), secret.id)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message; equal messages have equal signatures."""
        return self._key.sign(message)


def derive_keys(secrets: Secrets) -> list[ReceiptKey]:
    """Return a key for each secret, in the order of the secrets; the first key signs."""
    return [ReceiptKey(secret) for secret in secrets]


class PublicKeys:
    """The trusted keys, by id."""

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        self._keys = {key.keyid: key for key in keys}

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._keys.values())

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read the answer of `GET /api/receipt-keys`. Raise ReceiptError if the text is no such answer."""
        try:
            answer = parse_json(text)
            items = answer["items"] if isinstance(answer, Mapping) else None
            if not isinstance(items, list):
                raise ReceiptError(
                    'these are no keys of receipts: `{"items": [..]}` is expected', code=ErrorCode.MALFORMED_KEYS
                )
            return cls([PublicKey.model_validate(item) for item in items])
        except ValidationError as error:
            wrong = "; ".join(map(describe_problem, error.errors()))
            raise ReceiptError(f"a key of receipts cannot be used: {wrong}", code=ErrorCode.MALFORMED_KEYS) from None
        except (ValueError, KeyError) as error:
            raise ReceiptError(f"these are no keys of receipts: {error}", code=ErrorCode.MALFORMED_KEYS) from None

    @classmethod
    def parse_one(cls, text: str) -> Self:
        """Read one key in base64. Raise ReceiptError if the text is no key."""
        try:
            return cls([PublicKey.of(decode_base64(text.strip()))])
        except ValueError:
            message = f"this is no key of receipts: the base64 of {KEY_BYTES} bytes is expected"
            raise ReceiptError(message, code=ErrorCode.MALFORMED_KEYS) from None

    def find(self, keyid: str) -> PublicKey:
        """Return the key with an id. Raise ReceiptError if no trusted key has the id."""
        if (key := self._keys.get(keyid)) is None:
            message = f"no key that was given has the id {keyid[:80]!r}: the receipt is of another system, or forged"
            raise ReceiptError(message, code=ErrorCode.UNKNOWN_KEY)
        return key


def make_keyid(value: bytes) -> str:
    """Return the id of a public key."""
    return hashlib.sha256(value).hexdigest()


PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
#: Bytes of an envelope at most: a hundred criteria of the greatest length have less than half.
ENVELOPE_MAX_BYTES: Final = 8 << 20


def encode(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a signature covers: DSSE's pre-authentication encoding of a payload and its type."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(key: ReceiptKey, payload: bytes) -> str:
    """Return the envelope of a payload, signed by a key, as JSON text; equal payloads have equal envelopes."""
    signature = key.sign(encode(PAYLOAD_TYPE, payload))
    return json_text(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key.public.keyid, "sig": base64.b64encode(signature).decode()}],
        }
    )


def open_envelope(text: bytes, keys: PublicKeys) -> tuple[PublicKey, bytes]:
    """Return the key that signed an envelope, and the payload. Raise ReceiptError if none of the keys signed it."""
    envelope = parse_unambiguous(text, "the envelope")
    payload = _decode(envelope.get("payload"), "payload")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or not all(isinstance(each, Mapping) for each in signatures):
        raise ReceiptError("the envelope has no list of signatures")
    if len(signatures) != 1:
        raise ReceiptError(f"the envelope has {len(signatures)} signatures, and a receipt has one")
    keyid, signature = signatures[0].get("keyid"), _decode(signatures[0].get("sig"), "sig")
    if not isinstance(keyid, str) or not keyid:
        raise ReceiptError("the signature does not say by its keyid whose it is")
    payload_type = envelope.get("payloadType")
    if payload_type != PAYLOAD_TYPE:
        message = f"the payload is of the type {str(payload_type)[:80]!r}, and a receipt's is {PAYLOAD_TYPE}"
        raise ReceiptError(message, code=ErrorCode.OTHER_PAYLOAD_TYPE)
    key = keys.find(keyid)
    if not key.has_signed(signature, encode(PAYLOAD_TYPE, payload)):
        message = "the signature is not that of the key that it names: the receipt was changed, or is forged"
        raise ReceiptError(message, code=ErrorCode.BAD_SIGNATURE)
    return key, payload


def parse_unambiguous(text: bytes, name: str) -> Mapping[str, Any]:
    """Return the JSON object in a text in which no object names a member twice, so that all readers read the same.

    Raise ReceiptError, which calls the text `name`, if the text is no such object.
    """
    if len(text) > ENVELOPE_MAX_BYTES:
        raise ReceiptError(f"{name} has more than {ENVELOPE_MAX_BYTES} bytes, which no receipt has")
    try:
        parse_json(text)  # bounds its depth, and takes nothing but RFC 8259
        value = json.loads(text, object_pairs_hook=_join_members)
    except ValueError as error:
        raise ReceiptError(f"{name} is not well-formed JSON: {error}") from None
    if not isinstance(value, dict):
        raise ReceiptError(f"{name} is no JSON object")
    return value


def _join_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) < len(members):
        raise ValueError("an object names a member twice, of which each reader may read another")
    return value


def _decode(text: object, name: str) -> bytes:
    try:
        if isinstance(text, str):
            return decode_base64(text)
    except ValueError:
        pass
    raise ReceiptError(f"the envelope's {name} is no base64")


STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
#: What the predicate means, which docs/receipts.md says. Fields are added to it; another meaning is another type.
PREDICATE_TYPE: Final = "urn:signoff:verdict:v1"

#: Codes of a log's entry that are stated, since they say how its verdict came to be.
STATED_CODES: Final = frozenset({ErrorCode.REJUDGED, ErrorCode.VERDICT_REUSED})

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Digest(Model):
    """The hash of a result."""

    sha256: Sha256


class Subject(Model):
    """The result: by the job and the execution that it is of, and the hash of its JSON text."""

    name: str = Field(description="`<job id>/<execution id>`")
    digest: Digest


class JudgedCriterion(Model):
    """How one criterion was judged."""

    sha256: Sha256 = Field(description="of its line in the text form of criteria")
    text: str | None = optional("None where texts were left out")
    kind: str
    required: bool
    outcome: Outcome

    def __str__(self) -> str:
        return f"sha256:{self.sha256}" if self.text is None else _format_line(self.text, self)


class StatedAsk(Model):
    """One ask of a model, without its cost."""

    model: str
    role: str
    prompt: int | None = None
    outcomes: str | None = None


class StatedStage(Model):
    """What one stage of judging decided: a letter for each criterion, as in the log."""

    kind: str
    outcomes: str
    asks: list[StatedAsk]


class VerdictPredicate(Model):
    """A verdict as the log of a job has it."""

    job_id: str
    version: int = Field(description="of the entry of the job's log that holds the verdict")
    tenant: str
    execution_id: UUID
    submission: int
    submissions: int | None = optional("how many there might be")
    status: JobStatus = Field(description="of the job, by this verdict")
    code: str | None = optional(
        "`verdict_reused`: as it was given on the same result before, and nobody was asked anew;"
        " `rejudged`: given when the result was judged again, without its agent"
    )
    is_valid: bool
    task_sha256: Sha256 | None = optional(
        "of what the agent was asked: of the JSON text of an object of title, description and payload"
    )
    references_sha256: Sha256 | None = optional(
        "of the references that judges had, as a JSON object by the numbers of criteria, in order"
    )
    criteria_sha256: Sha256 = Field(description="of the text form of all criteria, a line for each")
    criteria: list[JudgedCriterion]
    judge: str | None = optional("the judge policy and its version, such as `strict@3`")
    model: str | None = None
    stages: list[StatedStage] | None = optional("how it was judged")
    requested_at: Time | None = optional("when the execution was")
    judged_at: Time


class Statement(Model):
    """The statement of a receipt."""

    model_config = ConfigDict(populate_by_name=True)

    type: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT_TYPE, alias="_type")
    subject: Annotated[list[Subject], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:signoff:verdict:v1"] = Field(PREDICATE_TYPE, alias="predicateType")
    predicate: VerdictPredicate

    @classmethod
    def of(
        cls, verdict: Verdict, result_hash: bytes, *, with_texts: bool = True, code: str | None = None, **fields: Any
    ) -> Self:
        """Return the statement of a verdict on the result with this hash; `code` and `fields` are those of the log."""
        lines = [_format_line(one.text, one) for one in verdict.criteria]
        predicate = VerdictPredicate(
            submissions=verdict.submissions,
            code=code if code in STATED_CODES else None,
            is_valid=verdict.is_valid,
            references_sha256=verdict.references_sha256,
            criteria_sha256=_hash("\n".join(lines)),
            criteria=[
                JudgedCriterion(
                    sha256=_hash(line),
                    text=one.text if with_texts else None,
                    kind=one.kind,
                    required=one.required,
                    outcome=one.outcome,
                )
                for one, line in zip(verdict.criteria, lines, strict=True)
            ],
            judge=verdict.judge,
            model=verdict.model,
            stages=[StatedStage.model_validate(each, from_attributes=True) for each in verdict.stages] or None,
            **fields,
        )
        name = f"{predicate.job_id}/{predicate.execution_id}"
        return cls(subject=[Subject(name=name, digest=Digest(sha256=result_hash.hex()))], predicate=predicate)

    @property
    def result_sha256(self) -> str:
        """The hash of the result's JSON text."""
        return self.subject[0].digest.sha256

    def encode(self) -> bytes:
        """Return the bytes of the statement, which are signed."""
        return json_text(self.model_dump(by_alias=True, exclude_none=True)).encode()


def verify(receipt: bytes, keys: PublicKeys) -> tuple[PublicKey, Statement]:
    """Return the key that signed a receipt, and its statement. Raise ReceiptError if the receipt is not genuine."""
    key, payload = open_envelope(receipt, keys)
    return key, _read_statement(parse_unambiguous(payload, "the statement"))


def _read_statement(value: Mapping[str, Any]) -> Statement:
    for member, known in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if (stated := value.get(member)) != known:
            message = f"what is signed is no receipt: its {member} is {str(stated)[:80]!r}, and a receipt's is {known}"
            raise ReceiptError(message, code=ErrorCode.UNKNOWN_PREDICATE)
    try:
        return Statement.model_validate(value)
    except ValidationError as error:
        wrong = "; ".join(map(describe_problem, error.errors()))
        raise ReceiptError(f"the statement cannot be read: {wrong}") from None


def _format_line(text: str, one: CriterionVerdict | JudgedCriterion) -> str:
    """Return a criterion as its line in the text form."""
    return format_line(text, one.kind, required=one.required)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
