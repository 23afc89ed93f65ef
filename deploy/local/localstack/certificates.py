"""Make an authority of this machine alone, and certificates of its servers, in a folder of the data directory."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 3650
#: A certificate that ends sooner is made anew at the next start, as is one whose authority was.
RENEW_DAYS = 60
ADDRESSES = ("127.0.0.1", "::1")


class Authority:
    """An authority in a folder, made there unless it is there already: `ca.pem` is for clients, and no secret."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        #: The file of the certificate by which clients trust the servers.
        self.ca = folder / "ca.pem"
        self._key_file = folder / "ca-key.pem"
        if not _is_good(self.ca):
            key = ec.generate_private_key(ec.SECP256R1())
            name = _make_name("Signoff on this machine")
            usage = x509.KeyUsage(**dict.fromkeys(_USES, False) | {"key_cert_sign": True, "crl_sign": True})
            made = _begin(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            made = made.add_extension(usage, critical=True)
            _write_key(self._key_file, key)
            self.ca.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate for this machine's loopback addresses, and of its key (PKCS#8)."""
        certificate, key_file = self._folder / f"{name}.pem", self._folder / f"{name}-key.pem"
        ca = x509.load_pem_x509_certificate(self.ca.read_bytes())
        if _is_good(certificate) and _is_issued_by(certificate, ca):
            return certificate, key_file
        key = ec.generate_private_key(ec.SECP256R1())
        ca_key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(each)) for each in ADDRESSES)]
        made = (
            _begin(_make_name(name), ca.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        _write_key(key_file, key)
        certificate.write_bytes(made.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return certificate, key_file


_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _make_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    form = serialization.PrivateFormat.PKCS8  # Kafka reads no other
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def _is_good(path: Path) -> bool:
    """Return whether a file holds a certificate that is valid for a while."""
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return False
    return ends - datetime.now(UTC) > timedelta(days=RENEW_DAYS)


def _is_issued_by(path: Path, ca: x509.Certificate) -> bool:
    try:
        x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - by whichever key it was signed
        return False
    return True
