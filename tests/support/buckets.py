"""A server of S3 on loopback, with the variables by which clients find it."""

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto.server import ThreadedMotoServer

#: The bucket that the server has.
BUCKET = "kept"


@contextmanager
def serve_s3() -> Iterator[str]:
    """Serve S3, and let this process and those that it starts find it; yield its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        variables = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "signoff",
            "AWS_SECRET_ACCESS_KEY": "SECRET",
        }
        with patch.dict(os.environ, variables):
            request = urllib.request.Request(f"http://{host}:{port}/{BUCKET}", method="PUT")
            urllib.request.urlopen(request).close()
            yield variables["AWS_ENDPOINT_URL"]
    finally:
        server.stop()
