"""Receipts are what others take for in-toto statements in DSSE envelopes: securesystemslib, and openssl by hand."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey
from support.receipts_to_forge import NEW, OLD, RECEIPT, STATEMENT, TRUSTED, altered

from contracts.receipts import PublicKey, PublicKeys, verify

OPENSSL = "openssl"
DOCS = (Path(__file__).parents[3] / "docs" / "receipts.md").read_text()
#: Before the 32 bytes of a key, what makes it one that openssl reads (RFC 8410).
DER = bytes.fromhex("302a300506032b6570032100")


def read_by_peer(key: PublicKey) -> SSlibKey:
    return SSlibKey(key.keyid, "ed25519", "ed25519", {"public": key.value.hex()})


def test_another_implementation_takes_a_receipt() -> None:
    envelope = Envelope.from_dict(json.loads(RECEIPT))
    assert list(envelope.verify([read_by_peer(NEW.public)], 1)) == [NEW.public.keyid]
    assert envelope.payload == STATEMENT.encode()


@pytest.mark.parametrize("receipt", [altered(payload="e30="), altered(payloadType="text/plain")])
def test_it_refuses_what_is_refused_here(receipt: bytes) -> None:
    with pytest.raises(VerificationError):
        Envelope.from_dict(json.loads(receipt)).verify([read_by_peer(NEW.public)], 1)
    with pytest.raises(VerificationError):
        Envelope.from_dict(json.loads(RECEIPT)).verify([read_by_peer(OLD.public)], 1)


def test_what_another_implementation_signs_with_a_trusted_key_is_a_receipt() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"a seed of the tests, not shown..")
    public = PublicKey.of(private.public_key().public_bytes_raw())
    envelope = Envelope(STATEMENT.encode(), "application/vnd.in-toto+json", {})
    envelope.sign(CryptoSigner(private, read_by_peer(public)))
    receipt = json.dumps(envelope.to_dict()).encode()
    assert verify(receipt, PublicKeys([public])) == (public, STATEMENT)


def test_the_example_of_the_page_verifies_a_receipt_and_no_other(tmp_path: Path) -> None:
    example = DOCS.split("```python\n")[1].partition("```")[0]
    (tmp_path / "keys.json").write_text(json.dumps({"items": [key.model_dump(mode="json") for key in TRUSTED]}))
    (tmp_path / "receipt.json").write_bytes(RECEIPT)
    command = [sys.executable, "-c", example]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, "'is_valid': True" in ran.stdout) == (0, True), ran.stderr
    (tmp_path / "receipt.json").write_bytes(altered(payload="e30="))
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, "InvalidSignature" in ran.stderr) == (1, "", True)


def test_openssl_verifies_a_receipt(tmp_path: Path) -> None:
    """As docs/receipts.md tells it: three files, and one command."""
    if shutil.which(OPENSSL) is None:
        pytest.skip(f"this machine has no {OPENSSL}")
    envelope = json.loads(RECEIPT)
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    (tmp_path / "signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (tmp_path / "key.der").write_bytes(DER + next(iter(TRUSTED)).value)
    command = "openssl pkeyutl -verify -pubin -inkey key.der -keyform DER -rawin -in signed -sigfile sig"
    ran = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "Signature Verified Successfully"), ran.stderr
    (tmp_path / "signed").write_bytes(b"DSSEv1 0  0 ")
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode == 1
