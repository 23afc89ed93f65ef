"""Read the files of TLS: by which one side knows the other, and by which it shows who it is."""

import functools
import ssl
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

from signoff.files import WatchedFiles

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


def watch_pem(tls: Tls) -> WatchedFiles[Pem]:
    """Return what the files hold, read again once they have changed; its `read` raises as `make_context`."""

    def read() -> Pem:
        make_context(tls)
        ca = _read_system_roots() if tls.ca == SYSTEM else _read(tls.ca)
        return Pem(ca, _read(tls.key), _read(tls.certificate))

    return WatchedFiles(_list_files(tls), read)


def watch_context(tls: Tls) -> WatchedFiles[ssl.SSLContext]:
    """Return a client's context, made again once its files have changed; its `read` raises as `make_context`."""
    return WatchedFiles(_list_files(tls), lambda: make_context(tls))


def make_context(tls: Tls) -> ssl.SSLContext:
    """Return a client's context, which checks a server's certificate and name.

    Raise OSError, with what to do, if a file is missing or wrong, or the key is not that of the certificate.
    """
    if (tls.certificate is None) != (tls.key is None):
        raise OSError("a certificate needs its key, and a key its certificate: name both files, or neither")
    for file in _list_files(tls):
        _read(file)
    try:
        context = ssl.create_default_context(cafile=None if tls.ca == SYSTEM else tls.ca)
    except OSError as error:
        raise OSError(f"{tls.ca} holds no certificates of a CA ({error}): name a file in PEM") from None
    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key, password="")
        except OSError as error:
            message = f"{tls.certificate} and {tls.key} are no certificate in PEM and its key without a password"
            raise OSError(f"{message} ({error}): name files that are") from None
    return context


def _list_files(tls: Tls) -> list[Path]:
    return [Path(file) for file in (tls.ca, tls.certificate, tls.key) if file is not None and file != SYSTEM]


def _read(file: File | None) -> bytes | None:
    try:
        return None if file is None else Path(file).read_bytes()
    except OSError as error:
        raise OSError(f"{file} cannot be read ({error.strerror}): correct its name or its rights") from None


@functools.cache
def _read_system_roots() -> bytes | None:
    """Return the system's certificates of CAs; None, for gRPC's own list, if there are none where Python looks."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode() or None
