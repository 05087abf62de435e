"""A filled database a module, and a real OpenID provider a session: `oidc-provider-mock` as a process of its own."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from storage.postgres import Pool
from tests.contract.sinks.sink_charges import fresh_pool
from tests.integration.access.doors import fill

PEOPLE = (
    {"sub": "vera", "groups": ["everybody", "staff"]},
    {"sub": "otto", "groups": ["staff", "ops"]},
    {"sub": "ada", "groups": "lead"},
    {"sub": "nobody", "groups": ["everybody"]},
)


@pytest.fixture(scope="module")
def pool(database: str) -> Iterator[Pool]:
    with fresh_pool(database) as opened:
        fill(opened)
        yield opened


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """Its issuer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        "--require-nonce",
    ]
    for person in PEOPLE:
        command += ["--user-claims", json.dumps(person)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            issuer = f"http://127.0.0.1:{port}"
            _until_it_answers(issuer, process)
            yield issuer
        finally:
            process.terminate()


def _until_it_answers(issuer: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            httpx.get(f"{issuer}/.well-known/openid-configuration", timeout=30).raise_for_status()
            return
        except httpx.TransportError:
            assert process.poll() is None, "the provider ended"
            assert time.monotonic() < deadline, "the provider does not answer"
            time.sleep(0.2)
