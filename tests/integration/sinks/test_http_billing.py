"""The HTTP billing sink where the application, the network or we ourselves are at fault."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devstack.ports import LOOPBACK, free_port
from sinks.delivery.target import GroupRefused, TargetUnavailable
from sinks.http.client import Calls
from sinks.http.target import HttpTarget, batch_key
from tests.contract.sinks.receiving import Receiver, receiving
from tests.contract.sinks.sink_charges import charge
from tests.contract.sinks.sink_contract import as_ledger

TLS = Path(__file__).parents[2] / "data" / "tls"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The application of this module."""
    with receiving(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


@pytest.fixture
def receiver(application: Receiver) -> Receiver:
    """The application, as on its first day."""
    application.tell(reset=True)
    return application


@pytest.fixture
def target(receiver: Receiver) -> Iterator[HttpTarget]:
    """Batches to the application."""
    with closing(receiver.target()) as found:
        yield found


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("cut", "is no JSON"),
        ("html", "is no JSON"),
        ("break", "the answer broke off"),
        ("forget", "no answer to 1 of 3 charges"),
        ("fail", r"answered 503: it failed over there"),
    ],
)
def test_an_answer_that_is_not_whole_says_nothing(
    receiver: Receiver, target: HttpTarget, fault: str, told: str
) -> None:
    charges = [charge(str(n)) for n in range(3)]
    receiver.tell(**{fault: 1})
    with pytest.raises(TargetUnavailable, match=told):
        target.deliver(charges)
    assert [answer.result for answer in target.deliver(charges)] == ["posted"] * 3
    assert receiver.held() == as_ledger(charges)


def test_a_request_of_one_charge_that_is_cut_short_says_nothing_either(receiver: Receiver) -> None:
    with closing(receiver.single()) as target:
        receiver.tell(cut=1, refuse=[charge("no")["charge_id"]])
        with pytest.raises(TargetUnavailable, match="is no JSON"):
            target.deliver([charge("no")])
        (answer,) = target.deliver([charge("no")])
        assert (answer.result, answer.reason) == ("refused", "the period is closed")


def test_the_same_charges_have_the_same_keys_and_other_ones_others(receiver: Receiver, target: HttpTarget) -> None:
    ids = [charge(str(n))["charge_id"] for n in range(3)]
    assert batch_key(ids) == batch_key(tuple(ids)) != batch_key(ids[:2])
    assert batch_key(ids) != batch_key(ids[::-1])
    target.deliver([charge(str(n)) for n in range(3)])
    target.deliver([charge(str(n)) for n in range(3)])
    assert receiver.counts()["repeated"] == 1


def test_more_charges_than_a_request_may_carry_are_sent_in_pages(receiver: Receiver, target: HttpTarget) -> None:
    charges = [charge(str(n)) for n in range(250)]
    assert [answer.charge_id for answer in target.deliver(charges)] == [each["charge_id"] for each in charges]
    assert receiver.counts()["requests"] == 3
    assert receiver.held() == as_ledger(charges)


def test_charges_that_may_not_share_a_request_have_other_groups(target: HttpTarget) -> None:
    alike = [charge("a"), charge("b", client_id="C-2"), charge("c", currency="USD"), charge("d", legal_entity="LE-2")]
    groups = [target.group_of(each) for each in alike]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3


def test_a_batch_refused_as_a_whole_is_to_be_offered_one_by_one(receiver: Receiver, target: HttpTarget) -> None:
    receiver.tell(refuse_whole=True)
    bad = charge("bad", legal_entity="")
    with pytest.raises(GroupRefused, match="something in this batch is wrong"):
        target.deliver([charge("a"), bad])
    assert [answer.result for each in (charge("a"), bad) for answer in target.deliver([each])] == ["posted", "refused"]


def test_a_charge_that_cannot_be_written_is_refused_without_asking(receiver: Receiver, target: HttpTarget) -> None:
    odd = [charge("third of a cent", "0.003"), charge("a"), charge("odd tax", tax_category="X")]
    answers = target.deliver(odd)
    assert [answer.result for answer in answers] == ["refused", "posted", "refused"]
    assert "$amount is 0.003, which does not fit 2 places; correct" in (answers[0].reason or "")
    assert "$tax_category is 'X', which the mapping does not translate" in (answers[2].reason or "")
    assert receiver.held() == as_ledger([odd[1]])


def test_a_token_is_kept_renewed_before_its_end_and_when_it_is_not_accepted(receiver: Receiver) -> None:
    receiver.tell(token_seconds=2)
    with closing(receiver.target()) as target:
        for n in range(3):
            target.deliver([charge(f"a{n}")])
        assert receiver.counts()["tokens"] == 1
        time.sleep(1.1)  # half of its life
        target.deliver([charge("b")])
        assert receiver.counts()["tokens"] == 2
        receiver.tell(forget_tokens=True, token_seconds=3600)
        target.deliver([charge("c")])
        assert (receiver.counts()["tokens"], receiver.counts()["unauthorised"]) == (3, 1)


def test_wrong_credentials_are_told_of_and_never_shown(receiver: Receiver, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2-hunter2")
    client = {"kind": "oauth2", "token_url": f"{receiver.url}/oauth/token", "client_id": "client"}
    cases = {
        "POST .*/oauth/token: answered 401: the credentials are not accepted": {
            "auth": client | {"client_secret": f"file:{wrong}"}
        },
        "POST .*/batch: answered 401: the credentials are not accepted": {
            "auth": {"kind": "key", "key": f"file:{wrong}"}
        },
        "answered 401: the credentials .* check `auth` and `sign`": {"sign": f"file:{wrong}"},
    }
    for told, options in cases.items():
        with closing(receiver.target(**options)) as target:
            with pytest.raises(TargetUnavailable, match=told) as caught:
                target.deliver([charge("a")])
            assert "hunter2" not in repr(caught.value) + repr(vars(target))
    wrong.unlink()
    with closing(receiver.target()) as target:
        target._sign = type(target._sign)(f"file:{wrong}")  # type: ignore[misc, union-attr]
        with pytest.raises(TargetUnavailable, match="cannot be read: No such file"):
            target.deliver([charge("a")])


def test_a_secret_that_is_renewed_is_used_at_once(receiver: Receiver) -> None:
    with closing(receiver.single()) as target:
        target.deliver([charge("a")])
        (receiver.folder / "RECEIVER_KEY").write_text("another")
        with pytest.raises(TargetUnavailable, match="401"):
            target.deliver([charge("b")])
        (receiver.folder / "RECEIVER_KEY").write_text(receiver.secrets["RECEIVER_KEY"])
        target.deliver([charge("b")])


@pytest.mark.parametrize("form", ["7", "date"])
def test_what_the_application_asks_for_is_passed_on(receiver: Receiver, target: HttpTarget, form: str) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    receiver.tell(fail=1, retry_after=until if form == "date" else form)
    with pytest.raises(TargetUnavailable) as caught:
        target.deliver([charge("a")])
    assert caught.value.retry_after is not None
    assert 4 < caught.value.retry_after <= 8


def test_an_application_that_is_slow_or_away_is_not_waited_for_beyond_the_time_given(receiver: Receiver) -> None:
    receiver.tell(slow=3)
    began = time.monotonic()
    with closing(receiver.target(answer_seconds=0.5)) as target, pytest.raises(TargetUnavailable, match="in time"):
        target.deliver([charge("a")])
    assert time.monotonic() - began < 2.5
    receiver.tell(slow=0)
    with closing(receiver.target(url=f"http://{LOOPBACK}:{free_port()}")) as away:
        with pytest.raises(TargetUnavailable, match="cannot be reached"):
            away.deliver([charge("a")])
        assert not away.health().ok


@contextmanager
def _server(handler: type[BaseHTTPRequestHandler], tls: bool = False) -> Iterator[str]:
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Endless(BaseHTTPRequestHandler):
    """Answers without an end, at the pace its path says."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        piece, pause = (b"x", 0.05) if self.path == "/trickle" else (b"x" * (1 << 20), 0.0)
        try:
            while True:
                self.wfile.write(piece)
                time.sleep(pause)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        return


def test_an_answer_without_an_end_has_one() -> None:
    with _server(Endless) as url, closing(Calls(1, 1, None)) as calls:
        with pytest.raises(TargetUnavailable, match="no whole answer in 1 s"):
            calls.send("GET", f"{url}/trickle", {})
        with pytest.raises(TargetUnavailable, match="longer than 8 MiB"):
            calls.send("GET", f"{url}/flood", {})


class Well(BaseHTTPRequestHandler):
    """Well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


def test_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    with _server(Well, tls=True) as url:
        with closing(Calls(5, 5, None)) as calls, pytest.raises(TargetUnavailable, match=r"not trusted .*set `ca`"):
            calls.send("GET", url, {})
        with closing(Calls(5, 5, TLS / "certificate.pem")) as calls:
            assert calls.send("GET", url, {}).status == 200


def test_whoever_listens_without_answering_is_left_in_time() -> None:
    with socket.socket() as silent, closing(Calls(1, 0.5, None)) as calls:
        silent.bind((LOOPBACK, 0))
        silent.listen()
        with pytest.raises(TargetUnavailable, match=r"no answer in time \(ReadTimeout\)"):
            calls.send("GET", f"http://{LOOPBACK}:{silent.getsockname()[1]}", {})
