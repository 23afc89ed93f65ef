"""A service that only says that it is ready, and, asked to, hangs on when told to stop."""

import http.server
import os
import signal
import sys


class Ready(http.server.BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()


if __name__ == "__main__":
    if "--stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    host, port = os.environ["SIGNOFF_HEALTH_ADDRESS"].split(":")
    http.server.HTTPServer((host, int(port)), Ready).serve_forever()
