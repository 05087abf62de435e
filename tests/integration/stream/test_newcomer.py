"""A firm's own data as a newcomer brings it: six commands on a fresh home, from the workbook to PDF invoices.

Then what must not happen on that home: commands that fight over it, and commands that start something to read nothing.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pypdf import PdfReader

from cli.stack import free_from
from devstack.ports import LOOPBACK
from tests.integration.stream.firm_stream import edit

pytestmark = pytest.mark.timeout(400)
COMMAND = Path(sys.executable).with_name("hourstream")
MOST_SECONDS = 180.0


def processor_seconds() -> float:
    """What commands have used of a processor so far: other than the clock, it does not count the load of others."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(slots=True)
class Newcomer:
    """A person at a terminal, with a home of their own."""

    folder: Path
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOURSTREAM_")}
        return {**kept, "HOURSTREAM_HOME": str(self.folder / "home"), "HOURSTREAM_PARTITIONS": "2"}

    def types(self, *arguments: str, code: int = 0) -> str:
        """Type a command and wait for its end; what it says."""
        began = time.monotonic()
        done = subprocess.run(
            [str(COMMAND), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.spent[" ".join(arguments[:2])] = time.monotonic() - began
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def begins(self, *arguments: str) -> subprocess.Popen[str]:
        """Type a command that goes on beside others."""
        return subprocess.Popen(
            [str(COMMAND), *arguments], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    """Somebody with an empty folder."""
    return Newcomer(tmp_path_factory.mktemp("newcomer"))


@pytest.fixture(scope="module")
def up(newcomer: Newcomer) -> Iterator[subprocess.Popen[str]]:
    """`hourstream up` of the newcomer: the third command."""
    process = newcomer.begins("up")
    yield process
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_reading_commands_start_nothing_and_say_so_at_once(newcomer: Newcomer) -> None:
    for command in (["audit"], ["exceptions", "list"], ["invoice", "list"], ["trace", "time:1"], ["status"]):
        began = processor_seconds()
        said = newcomer.types(*command, code=3)
        assert "nothing runs here: `hourstream up`" in said
        assert processor_seconds() - began < 1
    assert not (newcomer.folder / "home").exists()
    newcomer.spent.clear()


def test_six_commands_take_a_newcomer_to_pdf_invoices_in_two_currencies(
    newcomer: Newcomer, request: pytest.FixtureRequest
) -> None:
    newcomer.types("init", "firm")
    edit(
        newcomer.folder / "firm" / "firm.xlsx",
        {
            "Legal entities!B2": "Meine Beratung GmbH", "Clients!B2": "Erster Kunde AG",
            "Clients!B3": "Deuxième Client SA", "Clients!B4": "Third Client plc", "Rate lines!B4": 112.5,
            "Time entries!F3": 465,
            # The fourth client's engagement is not begun.
            "Engagements!I5": "draft", "Milestones!C2": "reopened", "Time entries!G11": "rejected",
        },
    )  # fmt: skip
    assert "no errors" in newcomer.types("check", "firm")
    began = time.monotonic()
    up = request.getfixturevalue("up")
    # At once: it waits for the start of the stack, and for the workers.
    assert "81 records published and settled" in newcomer.types("publish", "firm")
    newcomer.spent["up"] = time.monotonic() - began - newcomer.spent["publish firm"]
    newcomer.types("invoice", "run", "--cut-off", "2026-01-31", "--issue-date", "2026-02-02", "--out", "out", "--pdf")
    assert "FALSE" not in newcomer.types("audit")
    print("\n".join(f"{seconds:6.1f} s  hourstream {command}" for command, seconds in newcomer.spent.items()))
    assert up.poll() is None
    assert len(newcomer.spent) == 6
    assert sum(newcomer.spent.values()) < MOST_SECONDS
    texts = {path.name: PdfReader(path).pages[0].extract_text() for path in (newcomer.folder / "out").glob("*.pdf")}
    assert len(texts) == 3
    whole = " ".join(texts.values())
    for said in ("Meine Beratung GmbH", "Erster Kunde AG", "Deuxième Client SA", "Third Client plc", "EUR", "GBP"):
        assert said in whole
    # 300 min at 180, 465 and 450 at 112.50, and 19 %: 900 + 871.88 + 843.75 = 2,615.63
    listed = json.loads(newcomer.types("invoice", "list", "--json"))
    nets = {each["client_id"]: (each["net"].rstrip("0"), each["currency"]) for each in listed}
    assert nets == {"BAUWERK": ("2615.63", "EUR"), "FRESNEL": ("1770.", "EUR"), "ALBION": ("1344.5", "GBP")}


def test_commands_on_one_home_share_it_or_refuse_and_no_worker_ends(
    newcomer: Newcomer, up: subprocess.Popen[str]
) -> None:
    assert "already runs on" in newcomer.types("up", code=1)
    edit(newcomer.folder / "firm" / "firm.xlsx", {"Clients!B2": "Erster Kunde SE"})
    both = [newcomer.begins("publish", "firm") for _ in range(2)]
    said = [process.communicate(timeout=200)[0] for process in both]
    codes = sorted(process.returncode for process in both)
    # The later one goes on; the earlier one is refused, or had published already.
    assert codes in ([0, 0], [0, 1]), said
    if codes == [0, 1]:
        assert any("published nothing" in each or "nothing was published" in each for each in said)
    assert "+0 ~0 =81" in newcomer.types("publish", "firm", "--dry-run")
    status = json.loads(newcomer.types("status", "--json"))
    assert {name: entry["restarts"] for name, entry in status["processes"].items() if entry["restarts"]} == {}
    assert up.poll() is None


def test_a_taken_port_does_not_end_up_with_its_console() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_from(port) <= port + 50
