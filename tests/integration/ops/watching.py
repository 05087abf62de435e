"""Real Prometheus and Alertmanager beside a running stream, with rules that wait for seconds, and who is told."""

import json
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from devstack.ports import free_port
from ops.prometheus.config import write_beside
from ops.prometheus.rules import Tuning

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
QUICK = Tuning(interval_seconds=3, pace=1 / 1200, exceptions_seconds=1)
SECONDS = 120  # within which anything must be seen


@dataclass(slots=True)
class Webhook:
    """Who is told of alerts: keeps what Alertmanager sends."""

    told: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def heard(self, alert: str, status: str, **labels: str) -> bool:
        """Whether it was told so of such an alert."""
        return any(
            (one["labels"]["alertname"], one["status"]) == (alert, status) and labels.items() <= one["labels"].items()
            for one in self.told
        )


@dataclass(frozen=True, slots=True)
class Watched:
    """A Prometheus with all that is asked of it."""

    address: str
    webhook: Webhook

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        found: list[dict[str, Any]] = self._get("query", query=expr)["result"]
        return found

    def value(self, expr: str) -> float:
        """The one value of a query."""
        (series,) = self.query(expr)
        return float(series["value"][1])

    def unhealthy_rules(self) -> list[str]:
        """Rules that Prometheus could not evaluate."""
        groups = self._get("rules")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]

    def _get(self, what: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON of any shape
        url = f"http://{self.address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]


def until(what: Callable[[], object], says: str, seconds: float = SECONDS) -> None:
    """Wait until it holds; fails with `says`."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {says}"
        time.sleep(0.3)


@contextmanager
def watching(home: Path, folder: Path) -> Iterator[Watched]:
    """Watch the workers of `home`; data in `folder`. Stopped at the end."""
    assert PROMETHEUS
    assert ALERTMANAGER
    with ExitStack() as ends:
        webhook = ends.enter_context(_listening())
        ours, theirs = (f"127.0.0.1:{free_port()}" for _ in range(2))
        config = write_beside(home, QUICK, theirs, webhook.url)
        manager = (
            ALERTMANAGER, f"--config.file={config / 'alertmanager.yml'}", f"--storage.path={folder / 'alerts'}",
            f"--web.listen-address={theirs}", "--cluster.listen-address=",
        )  # fmt: skip
        ends.enter_context(_running(manager, folder / "alertmanager.log", f"http://{theirs}/-/ready"))
        server = (
            PROMETHEUS, f"--config.file={config / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address={ours}",
        )  # fmt: skip
        ends.enter_context(_running(server, folder / "prometheus.log", f"http://{ours}/-/ready"))
        yield Watched(ours, webhook)


@contextmanager
def _running(command: tuple[str, ...], log: Path, ready: str) -> Iterator[None]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, stdin=subprocess.DEVNULL)
    try:
        until(lambda: process.poll() is not None or _answers(ready), f"{command[0]} answers")
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - on loopback
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def _listening() -> Iterator[Webhook]:
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            webhook.told.extend(body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    webhook.url = f"http://127.0.0.1:{server.server_address[1]}/alerts"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield webhook
    finally:
        server.shutdown()
        server.server_close()
