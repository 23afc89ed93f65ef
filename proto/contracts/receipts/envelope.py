"""Envelopes of DSSE v1 with one signature: sign a payload, and verify what strangers hand over.

What is signed is the type and the bytes of the payload, never the JSON around them: nothing has a canonical form, and
nothing of the payload is read before the signature was verified.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from contracts.receipts.errors import ReceiptError
from contracts.receipts.keys import PublicKey, PublicKeys, ReceiptKey
from contracts.signing import decode_base64
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
#: Bytes of an envelope at most: a hundred criteria of the greatest length have less than half.
ENVELOPE_MAX_BYTES: Final = 8 << 20


def encode(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(key: ReceiptKey, payload: bytes) -> str:
    """Return the envelope of a payload as JSON text; the same payload has the same one."""
    signature = key.sign(encode(PAYLOAD_TYPE, payload))
    return json_text(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key.public.keyid, "sig": base64.b64encode(signature).decode()}],
        }
    )


def open_envelope(text: bytes, keys: PublicKeys) -> tuple[PublicKey, bytes]:
    """Return who signed an envelope, and its payload. Raise ReceiptError unless one of the keys did."""
    envelope = parse_unambiguous(text, "the envelope")
    payload = _decode(envelope.get("payload"), "payload")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or not all(isinstance(each, Mapping) for each in signatures):
        raise ReceiptError("the envelope has no list of signatures", code=ErrorCode.MALFORMED_RECEIPT)
    if len(signatures) != 1:
        message = f"the envelope has {len(signatures)} signatures, and a receipt has one"
        raise ReceiptError(message, code=ErrorCode.MALFORMED_RECEIPT)
    keyid, signature = signatures[0].get("keyid"), _decode(signatures[0].get("sig"), "sig")
    if not isinstance(keyid, str) or not keyid:
        raise ReceiptError("the signature does not say by its keyid whose it is", code=ErrorCode.MALFORMED_RECEIPT)
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
    """Return the JSON object in a text, in which every reader reads the same: no object names a member twice.

    Raise ReceiptError if it is none.
    """
    if len(text) > ENVELOPE_MAX_BYTES:
        message = f"{name} has more than {ENVELOPE_MAX_BYTES} bytes, which no receipt has"
        raise ReceiptError(message, code=ErrorCode.MALFORMED_RECEIPT)
    try:
        parse_json(text)  # bounds its depth, and takes nothing but RFC 8259
        value = json.loads(text, object_pairs_hook=_join_members)
    except ValueError as error:
        raise ReceiptError(f"{name} is not well-formed JSON: {error}", code=ErrorCode.MALFORMED_RECEIPT) from None
    if not isinstance(value, dict):
        raise ReceiptError(f"{name} is no JSON object", code=ErrorCode.MALFORMED_RECEIPT)
    return value


def _join_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) < len(members):
        msg = "an object names a member twice, of which each reader may read another"
        raise ValueError(msg)
    return value


def _decode(text: object, name: str) -> bytes:
    try:
        if isinstance(text, str):
            return decode_base64(text)
    except ValueError:
        pass
    raise ReceiptError(f"the envelope's {name} is no base64", code=ErrorCode.MALFORMED_RECEIPT)
