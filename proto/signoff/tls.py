"""Read the files of TLS: by which one side knows the other, and by which it shows who it is."""

import functools
import ssl
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

#: In place of a file of CA certificates: those that the system trusts.
SYSTEM: Final = "system"

File = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: of the CA that signed the other side's certificates, and one's own certificate with its key."""

    ca: File | None = SYSTEM
    certificate: File | None = None
    key: File | None = None


def name_tls(ca: File | None, certificate: File | None, key: File | None) -> Tls | None:
    """Return the files by which a client calls; the system's CAs where none is named, and None if no file is."""
    return None if ca is certificate is key is None else Tls(ca or SYSTEM, certificate, key)


class Pem(NamedTuple):
    """What the files hold: certificates of CAs, a key, and its certificate with those between it and its CA."""

    ca: bytes | None
    key: bytes | None
    certificate: bytes | None


class TlsFiles:
    """Files of TLS that are read again once they have changed."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._last: Pem | None = None

    def read_changed(self) -> Pem | None:
        """Return what the files hold; None if it is what they held the last time.

        Raise OSError, with what to do, if a file is missing or wrong, or the key is not that of the certificate. What
        is wrong is said once: from then on it is what they held the last time.
        """
        tls = self._tls
        if (tls.certificate is None) != (tls.key is None):
            raise OSError("a certificate needs its key, and a key its certificate: name both files, or neither")
        ca = _read_system_roots() if tls.ca == SYSTEM else _read(tls.ca)
        held = Pem(ca, _read(tls.key), _read(tls.certificate))
        if held == self._last:
            return None
        self._last = held
        _check(tls)
        return held


def _read(file: File | None) -> bytes | None:
    try:
        return None if file is None else Path(file).read_bytes()
    except OSError as error:
        raise OSError(f"{file} cannot be read ({error.strerror}): correct its name or its rights") from None


def _check(tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca is not None and tls.ca != SYSTEM:
        try:
            context.load_verify_locations(tls.ca)
        except OSError as error:
            raise OSError(f"{tls.ca} holds no certificates of a CA ({error}): name a file in PEM") from None
    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key, password="")
        except OSError as error:
            message = f"{tls.certificate} and {tls.key} are no certificate in PEM and its key without a password"
            raise OSError(f"{message} ({error}): name files that are") from None


@functools.cache
def _read_system_roots() -> bytes | None:
    """Return the system's certificates of CAs; None, for gRPC's own list, if there are none where Python looks."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode() or None
