"""Convert the keys of receipts to their gRPC messages (`x_message`) and back (`x_of`)."""

from datetime import UTC

from contracts.receipts.keys import PublicKey
from signoff.v1 import receipt_service_pb2 as pb


def receipt_key_message(key: PublicKey) -> pb.ReceiptKey:
    """Return a key as it is sent."""
    return pb.ReceiptKey(**key.model_dump(exclude_none=True))


def receipt_key_of(message: pb.ReceiptKey) -> PublicKey:
    """Return a key as received. Raise ValueError if its id is not its own."""
    return PublicKey(
        keyid=message.keyid,
        algorithm=message.algorithm,
        public_key=message.public_key,
        secret_id=message.secret_id,
        added_at=message.added_at.ToDatetime(tzinfo=UTC),
    )
