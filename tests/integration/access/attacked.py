"""A console as attackers find it: real data, a vault, a provider that forges; and what none of them may ever see."""

import http.client
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.console import serving
from console.access.settings import AccessSettings
from privacy.vault import Person, Vault
from settings import Settings
from storage.postgres import Pool
from tests.integration.access.doors import AMOUNT, at_provider, token
from tests.integration.access.forger import Forger
from tests.integration.sinks.test_warehouse import parked, take
from warehouse.writer import Warehouse

NAME = "Ada Lovelace-Attacked"
MESSAGE = "No card line fits."


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over a raw connection; status 0 where it was closed without an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """The console, machines of several rights, and a person's token that stands in an exception."""

    address: str
    pool: Pool
    forger: Forger
    viewer: str
    operator: str
    admin: str
    person: str
    stuck: str

    @property
    def netloc(self) -> str:
        """Host and port."""
        return urlsplit(self.address).netloc

    def raw(self, request: bytes) -> Answer:
        """Send bytes as they are; `HOST` in them is the console's own."""
        place = urlsplit(self.address)
        with socket.create_connection((place.hostname or "", place.port or 0), 30) as line:
            line.sendall(request.replace(b"HOST", self.netloc.encode()))
            answer = http.client.HTTPResponse(line)
            try:
                answer.begin()
                body = answer.read().decode(errors="replace")
            except (http.client.HTTPException, ConnectionError):
                return Answer(0)
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


def assert_out(answer: Answer, scene: Scene) -> None:
    """Whoever sent it is not in: nothing of the data, no session, no way to another site, no fault of ours."""
    assert answer.status == 0 or 300 <= answer.status < 500 or answer.status in (501, 503), answer
    for secret in (NAME, AMOUNT, MESSAGE, "time:5", "root:", "def create_app"):
        assert secret not in answer.body, (secret, answer.status)
    assert "access-control-allow-origin" not in answer.headers
    assert "hourstream=" not in answer.headers.get("set-cookie", "").replace("hourstream-login=", "")
    sent_on = answer.headers.get("location", "/")
    assert sent_on.startswith((f"{scene.forger.issuer}/authorize?", "/")), sent_on
    assert not sent_on.startswith("//")


@contextmanager
def scene(pool: Pool, forger: Forger, folder: Path) -> Iterator[Scene]:
    """A console over a filled database, with a key of people."""
    key = folder / "people.key"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))
    vault, person = Vault.open(pool, key, folder / "people.erased"), Person("harvest", "person", NAME)
    vault.keys([person])
    found = vault.token(person)
    take(Warehouse(pool), [parked(500, "source:harvest:entries:1", "", message=f"the code {found!r} is not mapped")])
    with pool.connection() as connection:
        ((stuck,),) = connection.execute(
            "SELECT exception_id FROM hourstream.exceptions WHERE subject = 'time:5'"
        ).fetchall()
    settings = Settings.load(broker="127.0.0.1:1", people_key_file=key)
    access = AccessSettings.load(**at_provider(forger.issuer))
    with serving(settings, pool, port=0, access=access) as address:
        machines = (token(pool, role, sees_rates=role == "admin") for role in ("viewer", "operator", "admin"))
        yield Scene(address, pool, forger, *machines, found, str(stuck))
