"""Tell metrics when certificates end."""

from functools import partial
from pathlib import Path

from cryptography import x509

from servicekit.metrics import CERTIFICATE_ENDS


def export_ends(*files: Path | None) -> None:
    """Have the metric of each file say when the first certificate in it ends, each time that it is asked."""
    for file in filter(None, files):
        CERTIFICATE_ENDS.labels(str(file)).set_function(partial(_read_end, file))


def _read_end(file: Path) -> float:
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return 0.0  # nothing that it shows will be taken
    return min(each.not_valid_after_utc for each in certificates).timestamp()
