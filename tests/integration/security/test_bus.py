"""A Kafka with TLS, certificates, SCRAM and rights: whoever is nobody is refused, and everybody keeps to its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cli.acls import FORM, acls
from devstack.errors import StackError
from devstack.stack import Stack
from schemas import codec
from schemas.json_codec import from_json
from settings import PREFIX, Settings
from streaming.admin import admin_client
from streaming.kafka_security import connection
from streaming.reader import reader_config
from streaming.topic_reader import read_all
from streaming.transactions import producer_config
from tests.integration.security.secured import Secured, certificate, certified, secured
from topics.acls import apply, rights
from topics.consumers import PROCESSES

PATIENCE = 30.0
TASK = {
    "task_id": "T1",
    "engagement_id": "E1",
    "code": "T1",
    "name": "Advice",
    "billable": True,
    "labor_category": None,
    "source": "psa",
    "revision": 1,
    "occurred_at": "2024-01-01T00:00:00.000Z",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as running:
        running.users(*(f"hourstream-{process.name}" for process in PROCESSES))
        apply(running.admin, rights(PROCESSES, FORM))
        running.wait_for("hourstream-commands", "masters.current")
        yield running


@pytest.fixture
def become(cluster: Secured, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Take the place of a process: its settings are this test's. Returns the broker."""

    def take(process: str) -> str:
        for name, value in cluster.settings_of(f"hourstream-{process}").items():
            monkeypatch.setenv(name, value)
        return cluster.scram

    return take


def refused(config: dict[str, object]) -> str:
    """What a client hears of why it is not let in; fails where it is."""
    heard: list[str] = []
    client = AdminClient({"log_level": 0, "error_cb": lambda error: heard.append(error.str()), **config})
    deadline = time.monotonic() + PATIENCE
    while not heard and time.monotonic() < deadline:
        client.poll(0.1)
    with pytest.raises(KafkaException):
        client.list_topics(timeout=0.5)
    return " ".join(heard)


def failure(produce: Producer, topic: str) -> KafkaError | None:
    """The broker's answer to one record."""
    answers: list[KafkaError | None] = []
    produce.produce(topic, b"x", b"x", on_delivery=lambda error, _: answers.append(error))
    produce.flush(30)
    return answers[0]


def test_a_plain_client_is_refused(cluster: Secured) -> None:
    for address in (cluster.scram, cluster.mtls):
        assert "brokers are down" in refused({"bootstrap.servers": address})


def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(cluster: Secured) -> None:
    trusting = {"security.protocol": "SSL", "ssl.ca.location": str(cluster.folder / "ca.pem")}
    assert "certificate" in refused({"bootstrap.servers": cluster.mtls, **trusting})


def test_a_certificate_of_somebody_else_is_refused(cluster: Secured, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, trustme.CA(), "admin")
    ours = {"security.protocol": "SSL", "ssl.ca.location": str(cluster.folder / "ca.pem")}
    forged = {**ours, "ssl.certificate.location": str(cert), "ssl.key.location": str(key)}
    assert "SSL" in refused({"bootstrap.servers": cluster.mtls, **forged})


def test_a_broker_of_somebody_else_is_refused(cluster: Secured, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    strangers = {**certified(cluster.folder, cluster.ca, "masters"), "ssl.ca.location": str(tmp_path / "ca.pem")}
    assert "certificate verify failed" in refused({"bootstrap.servers": cluster.mtls, **strangers})


def test_a_wrong_password_is_refused(
    cluster: Secured, become: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = become("masters")
    monkeypatch.delenv("HOURSTREAM_KAFKA_PASSWORD_FILE")
    monkeypatch.setenv("HOURSTREAM_KAFKA_PASSWORD", "guessed")
    assert "Authentication failed" in refused(connection(broker))


def test_a_certificate_is_a_principal_with_its_rights_and_no_other(
    cluster: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(cluster.folder, cluster.ca, "hourstream-erp")
    monkeypatch.setenv("HOURSTREAM_KAFKA_SECURITY", "SSL")
    for name, file in (("CA", cluster.folder / "ca.pem"), ("CERT", cert), ("KEY", key)):
        monkeypatch.setenv(f"HOURSTREAM_KAFKA_{name}_FILE", str(file))
    producer = Producer(producer_config(cluster.mtls))
    assert failure(producer, "erp.postings") is None
    assert denied(failure(producer, "billing.ready"))


def denied(error: KafkaError | None) -> bool:
    return error is not None and error.code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    )


@pytest.mark.parametrize(
    ("process", "writes", "not_"),
    [
        ("erp", "erp.postings", "billing.ready"),
        ("settle", "billing.ready", "erp.postings"),
        ("billing", "invoice.status", "time.entries"),
    ],
)
def test_a_process_writes_only_what_is_its_own(
    become: Callable[[str], str], process: str, writes: str, not_: str
) -> None:
    producer = Producer(producer_config(become(process)))
    assert failure(producer, writes) is None
    assert denied(failure(producer, not_))


def heard_reading(broker: str, group: str, topic: str, *, past_end: bool = False) -> KafkaError | None:
    """What a reader of the topic's beginning meets first: its end, or a refusal.

    With `past_end` the end is not waited for: a group's refusal may come after it.
    """
    consumer = Consumer(reader_config(broker, group))
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for message in consumer.consume(100, 0.5):
                error = message.error()
                if error is not None and not (past_end and error.code() == KafkaError._PARTITION_EOF):
                    return error
        return None
    finally:
        consumer.close()


def test_a_process_reads_only_what_it_needs(become: Callable[[str], str]) -> None:
    broker = become("billing")
    end = heard_reading(broker, "hourstream-billing-reader", "source.billing.statuses")
    assert end is not None
    assert end.code() == KafkaError._PARTITION_EOF
    assert denied(heard_reading(broker, "hourstream-billing-reader", "invoice.status"))  # written, never read
    assert denied(heard_reading(broker, "hourstream-settle-reader", "source.billing.statuses", past_end=True))
    admin = admin_client(broker)
    assert denied(admin.list_topics("time.entries", timeout=30).topics["time.entries"].error)
    assert "time.entries" not in admin.list_topics(timeout=30).topics


def test_a_process_cannot_take_the_transactions_of_another(become: Callable[[str], str]) -> None:
    producer = Producer({**producer_config(become("erp")), "transactional.id": "hourstream-settle-0"})
    with pytest.raises(KafkaException) as error:
        producer.init_transactions(30)
    assert denied(error.value.args[0])


def test_nobody_but_the_administrator_gives_rights(become: Callable[[str], str]) -> None:
    admin = admin_client(become("commands"))
    with pytest.raises(KafkaException) as error:
        apply(admin, rights(PROCESSES, "User:hourstream-commands-{process}"))
    assert denied(error.value.args[0])


def test_a_worker_does_its_work_with_its_rights_alone(
    cluster: Secured, become: Callable[[str], str], tmp_path: Path
) -> None:
    """The masters worker, its Faust consumer and its transactions too: a master in, its winner out."""
    environment = {**os.environ, **cluster.settings_of("hourstream-masters"), f"{PREFIX}HOME": str(tmp_path)}
    command = [sys.executable, "-m", "cli.main", "worker", "masters"]
    broker = become("commands")
    publisher = Producer(producer_config(broker))
    publisher.produce("master.tasks", codec.encode("master.tasks", from_json("master.tasks", TASK)), b"T1")
    assert publisher.flush(30) == 0
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 90
        while not (found := list(read_all(broker, ["masters.current"]))):
            assert worker.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.5)
    finally:
        worker.terminate()
        worker.wait(30)
    assert found[0].key == b"master.tasks:T1"
    assert worker.returncode == 0
    assert cluster.passwords["hourstream-masters"] not in log.read_text()


def test_the_command_gives_takes_and_compares(cluster: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate(cluster.folder, cluster.ca, "admin")
    monkeypatch.setenv("HOURSTREAM_BROKER", cluster.mtls)
    monkeypatch.setenv("HOURSTREAM_KAFKA_SECURITY", "SSL")
    for name, file in (("CA", cluster.folder / "ca.pem"), ("CERT", cert), ("KEY", key)):
        monkeypatch.setenv(f"HOURSTREAM_KAFKA_{name}_FILE", str(file))
    form = ["--principal", "User:other-{process}"]
    wanted = rights(PROCESSES, form[1])
    run = CliRunner()
    assert f"{len(wanted)} rights to be given, 0 to be taken" in run.invoke(acls, [*form, "--compare"]).output
    assert f"{len(wanted)} rights given, 0 taken" in run.invoke(acls, [*form, "--apply"]).output
    surplus = wanted[0]._replace(name="billing.ready", operation=wanted[0].operation)
    surplus = surplus._replace(principal="User:other-masters")
    cluster.admin.create_acls([surplus.binding()])[surplus.binding()].result(30)
    assert "0 rights given, 1 taken" in run.invoke(acls, [*form, "--apply"]).output
    settled = run.invoke(acls, [*form, "--compare", "--json"])
    assert json.loads(settled.output) == {"given": [], "taken": []}
    everybody = run.invoke(acls, ["--principal", "User:hourstream"])
    assert everybody.exit_code == 2
    assert "a principal for all of them could do everything" in everybody.output


def test_the_embedded_kafka_is_not_taken_for_a_secured_one(
    monkeypatch: pytest.MonkeyPatch, become: Callable[[str], str], tmp_path: Path
) -> None:
    become("masters")
    monkeypatch.delenv("HOURSTREAM_BROKER")
    with pytest.raises(
        StackError, match="HOURSTREAM_KAFKA_SECURITY is SASL_SSL, and the embedded Kafka is an open one"
    ):
        Stack.start(Settings.load(home=tmp_path))
