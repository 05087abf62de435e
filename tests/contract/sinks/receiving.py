"""The receiver as a process of a test, and the targets that talk to it."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2 as httpx

from devstack.ports import LOOPBACK, free_port
from sinks.http import options
from sinks.http.target import HttpTarget
from tests.contract.sinks.sink_contract import Ledger

SAMPLE = Path(options.__file__).with_name("ledgerline.yaml")
# The same application, a request a charge.
SINGLE = """
path: /v1/usage-charges
fields:
  external_id: $charge_id
  entity: $legal_entity
  worked_minutes: $worked_minutes
  money: {value: {$decimal: $amount, places: currency}, currency: $currency}
answer:
  reference: $id
  reason: $error.message
"""


@dataclass
class Receiver:
    """A running receiver; its secrets are made for it."""

    folder: Path
    port: int = field(default_factory=free_port)
    secrets: dict[str, str] = field(default_factory=lambda: {name: secrets.token_hex(12) for name in _NAMES})
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it, on what it kept."""
        command = [
            sys.executable,
            "-m",
            "tests.contract.sinks.receiver",
            str(self.folder / "receiver.db"),
            str(self.port),
        ]
        environment = {**os.environ, **self.secrets, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{self.url}/health", timeout=5).raise_for_status()
                return
            except httpx.TransportError:
                assert self._process.poll() is None, "the receiver ended"
                assert time.monotonic() < deadline, "the receiver does not answer"
                time.sleep(0.05)

    def stop(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def tell(self, **control: object) -> None:
        """Have it misbehave; see `Application.control`."""
        httpx.post(f"{self.url}/control", json=control, timeout=10).raise_for_status()

    def state(self) -> dict[str, Any]:
        """What it has made and counted."""
        state: dict[str, Any] = httpx.get(f"{self.url}/state", timeout=10).raise_for_status().json()
        return state

    def counts(self) -> dict[str, int]:
        """What it has counted."""
        counts: dict[str, int] = self.state()["counts"]
        return counts

    def held(self) -> Ledger:
        """What it has made, by charge, in order; fails where a charge was made twice."""
        made = self.state()["made"]
        ledger = {charge_id: (Decimal(value), worked) for charge_id, value, worked in made}
        assert len(ledger) == len(made), "a charge was made twice"
        return ledger

    def target(self, **given: object) -> HttpTarget:
        """A target that sends batches, as a targets file would make it; `given` replaces options."""
        return options.target("ledgerline", self.options() | given, self.folder)

    def options(self, *, mapping: Path = SAMPLE, oauth: bool = True, url: str | None = None) -> dict[str, object]:
        """The options of a target at this receiver, or at a proxy before it; secrets are files in its folder."""
        for secret, value in self.secrets.items():
            (self.folder / secret).write_text(value + "\n")
        url = url or self.url
        client = {
            "kind": "oauth2",
            "token_url": f"{url}/oauth/token",
            "client_id": "client",
            "client_secret": f"file:{self.folder}/RECEIVER_CLIENT_SECRET",
        }
        key = {"kind": "key", "key": f"file:{self.folder}/RECEIVER_KEY"}
        return {
            "url": url,
            "mapping": str(mapping),
            "auth": client if oauth else key,
            "sign": f"file:{self.folder}/RECEIVER_SIGNING_SECRET",
            "answer_seconds": 5,
            "health": "/health",
        }

    def single(self, **given: object) -> HttpTarget:
        """A target that sends a request a charge."""
        mapping = self.folder / "single.yaml"
        mapping.write_text(SINGLE)
        return options.target("single", self.options(mapping=mapping, oauth=False) | given, self.folder)


_NAMES = ("RECEIVER_CLIENT_SECRET", "RECEIVER_KEY", "RECEIVER_SIGNING_SECRET")


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """A receiver that keeps its state in `folder`."""
    receiver = Receiver(folder)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()
