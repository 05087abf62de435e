"""The worker's own pages, on loopback: /metrics for Prometheus, /status for the command line, /healthz for probes.

They only read, so they need no credentials; they listen on the loopback address unless a setting says otherwise.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector


class FiguresCollector(Collector):
    """A collector that asks a function for its metrics at each scrape."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()


def serve_pages(
    host: str, port: int, figures: Callable[[], Iterable[Metric]], status: Callable[[], dict[str, object]]
) -> int:
    """Serve in a daemon thread; returns the port (a free one for `port` 0)."""
    registry = CollectorRegistry()
    registry.register(FiguresCollector(figures))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/status":
                self._answer(200, "application/json", json.dumps(status()).encode())
            elif self.path == "/healthz":
                self._answer(200, "text/plain", b"ok\n")
            else:
                self._answer(404, "text/plain", b"try /metrics, /status or /healthz\n")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client has closed the connection
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # a scrape a few seconds is no news
            return

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
    return int(server.server_address[1])
