"""Serve the page, as `web/` was built into `static/`, with the headers that make it safe."""

import mimetypes
import secrets
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

DIRECTORY = Path(__file__).with_name("static")
#: The word in the built page that is replaced by each response's own nonce.
NONCE = "NONCE"

# Scripts only from here; styles from here, or by the answer's nonce (a dialog locks the scrolling with one).
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' 'nonce-{NONCE}'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "frame-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types signoff",
    )
)
# Swagger UI makes HTML of the descriptions, which are our own.
_DOCS_POLICY = "; ".join(part for part in _POLICY.split("; ") if "trusted-types" not in part)
_HEADERS = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_FOR_EVER = "public, max-age=31536000, immutable"  # the name changes with the content
_FOR_A_DAY = "public, max-age=86400"
_NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signoff</title></head>
<body><h1>Signoff</h1>
<p>This console was installed without its page; <code>make setup</code> builds it.
The API is described in <a href="/openapi.json">/openapi.json</a>.</p></body>
</html>
"""


class Page:
    """The built files of the page. They are listed once, so that no request can open any other file."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._index, self._docs = (_read(directory / name) for name in ("index.html", "docs.html"))
        self._files: Mapping[str, Path] = {
            str(path.relative_to(directory)): path for path in sorted(directory.rglob("*")) if path.is_file()
        }

    def show_index(self) -> Response:
        """Return the page, with a new nonce."""
        return _respond(self._index, _POLICY)

    def show_docs(self) -> Response:
        """Return the description of the API, to be read and tried out."""
        return _respond(self._docs, _DOCS_POLICY)

    def find_file(self, request: Request, name: str) -> Response | None:
        """Return a file of the page, compressed if the browser accepts it; None if there is no such file."""
        path = self._files.get(name)
        if path is None or path.suffix in {".html", ".gz"}:
            return None
        headers = {
            "Cache-Control": _FOR_EVER if name.startswith("assets/") else _FOR_A_DAY,
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        media_type = mimetypes.guess_type(name)[0]
        compressed = self._files.get(f"{name}.gz")
        if compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            path = compressed
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}  # GZipMiddleware adds Vary to the others
        return FileResponse(path, headers=headers, media_type=media_type)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else _NOT_BUILT


def _respond(text: str, policy: str) -> Response:
    nonce = secrets.token_urlsafe(16)
    headers = _HEADERS | {"Content-Security-Policy": policy.replace(NONCE, nonce)}
    return HTMLResponse(text.replace(NONCE, nonce), headers=headers)
