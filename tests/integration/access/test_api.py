"""The interface of machines: what it shows is what is there, and what it does is on the stream and in the audit."""

import uuid
from collections.abc import Iterator

import httpx2 as httpx
import psycopg
import pytest

from console.access.audit import record
from devstack.stack import Stack
from operations.all_topics import every_topic
from schemas.codec import decode_for
from storage.postgres import Pool, transaction
from streaming.admin import admin_client
from streaming.topic_reader import read_all
from tests.integration.access.doors import AMOUNT, OWNER, acts, console, machine, token
from topics.create import create_topics


@pytest.fixture(scope="module")
def address(pool: Pool, stack: Stack) -> Iterator[str]:
    create_topics(admin_client(stack.broker), every_topic(1), 1)
    with console(pool, broker=stack.broker) as started:
        yield started


@pytest.fixture
def client(address: str, pool: Pool) -> Iterator[httpx.Client]:
    with machine(address, token(pool, "operator")) as made:
        yield made


def published(stack: Stack, topic: str) -> list[dict[str, object]]:
    return [decode_for(topic, record.value or b"") for record in read_all(stack.broker, [topic])]


def open_ids(client: httpx.Client) -> list[str]:
    return [each["exception_id"] for each in client.get("/api/v1/exceptions").json()["items"]]


def test_a_list_shows_everything_once(client: httpx.Client) -> None:
    for by in ("age", "minutes"):
        seen, after = [], ""
        while after is not None:
            page = client.get("/api/v1/exceptions", params={"by": by, "limit": 2, "after": after}).json()
            seen += [each["subject"] for each in page["items"]]
            after = page["next"]
        assert sorted(seen) == [f"time:{n}" for n in range(9)]


def test_an_amount_is_a_decimal_in_text(client: httpx.Client) -> None:
    (charge,) = client.get("/api/v1/charges", params={"engagement": "E1"}).json()["items"]
    assert charge["amount"] == f"{AMOUNT}0000"
    whole = client.get(f"/api/v1/charges/{charge['charge_id']}").json()
    assert (whole["amount"], whole["invoice_id"]) == (f"{AMOUNT}0000", "LE-1-2025-1")
    invoice = client.get("/api/v1/invoices/LE-1-2025-1").json()["invoice"]
    assert (invoice["net"], invoice["status"]) == (f"{AMOUNT}0000", "issued")
    on_it = client.get("/api/v1/invoices/LE-1-2025-1/charges").json()["items"]
    assert [each["charge_id"] for each in on_it] == [charge["charge_id"]]
    money = client.get("/api/v1/reconciliation").json()["money"]
    assert {each["currency"]: each["charged"] for each in money}["EUR"] == f"{AMOUNT}0000"


def test_what_is_not_there_is_a_problem_that_says_so(client: httpx.Client) -> None:
    answer = client.get("/api/v1/charges/unknown")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank", "title": "Not found", "status": 404, "instance": "/api/v1/charges/unknown",
        "detail": "There is no such charge, or it has not arrived yet.", "errors": [],
    }  # fmt: skip
    wrong = client.get("/api/v1/exceptions", params={"limit": 0, "by": "amount"})
    assert wrong.status_code == 422
    assert {each["field"] for each in wrong.json()["errors"]} == {"query.limit", "query.by"}
    misspelt = client.get("/api/v1/exceptions", params={"cod": "NO_RATE"})
    assert (misspelt.status_code, misspelt.json()["errors"][0]["field"]) == (422, "query.cod")


def test_a_decision_is_published_once_however_often_it_is_sent(client: httpx.Client, stack: Stack, pool: Pool) -> None:
    chosen = open_ids(client)[:3]
    body = {"decision": "waive", "exception_ids": [*chosen, "unknown"], "reason": "goodwill"}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    before = len(published(stack, "exception.decisions"))
    answers = [client.post("/api/v1/decisions", json=body, headers=key) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json() for answer in answers] == [{"decided": 3, "resolved": 0, "unknown": 1}] * 3
    sent = published(stack, "exception.decisions")[before:]
    me = client.get("/api/v1/me").json()["name"]
    assert [(each["decision"], each["by"], each["reason"], each["source"]) for each in sent] == [
        ("waive", me, "goodwill", "api")
    ] * 3
    noted = [(who, act) for who, act, _ in acts(pool) if who == me]
    assert noted == [(me, "waive")] * 3
    other = client.post("/api/v1/decisions", json=body | {"reason": "another"}, headers=key)
    assert other.status_code == 409


def test_a_code_is_mapped_in_its_next_revision(client: httpx.Client, stack: Stack) -> None:
    body = {"system": "tempo", "kind": "task", "code": uuid.uuid4().hex, "canonical_id": "T1", "reason": "told so"}
    first = client.post("/api/v1/code-mappings", json=body)
    assert (first.status_code, first.json()["revision"], first.json()["new"]) == (202, 1, True)
    assert client.post("/api/v1/code-mappings", json=body).json()["new"] is False
    assert client.post("/api/v1/code-mappings", json=body | {"canonical_id": "T2"}).json()["revision"] == 2
    mapped = [each for each in published(stack, "master.code-map") if each["code"] == body["code"]]
    assert [each["canonical_id"] for each in mapped] == ["T1", "T2"]


def test_what_cannot_be_mapped_is_not_noted(client: httpx.Client, stack: Stack, pool: Pool) -> None:
    noted, mapped = acts(pool), len(published(stack, "master.code-map"))
    form = {"system": "tempo", "kind": "no such kind", "code": "c", "canonical_id": "T1", "reason": "told so"}
    answer = client.post("/mappings", data=form)
    assert (answer.status_code, "cannot be mapped" in answer.text) == (422, True)
    assert acts(pool) == noted
    assert len(published(stack, "master.code-map")) == mapped


@pytest.mark.parametrize(
    "change",
    ["UPDATE hourstream.acts SET name = 'x'", "DELETE FROM hourstream.acts", "TRUNCATE hourstream.acts"],
)
def test_the_audit_is_only_ever_added_to(pool: Pool, change: str) -> None:
    with transaction(pool) as cursor:
        record(cursor, OWNER, "try", "the audit", "a test")
    before = acts(pool)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), pool.connection() as connection:
        connection.execute(change.encode())
    assert acts(pool) == before


def test_only_an_admin_reads_the_audit(client: httpx.Client, address: str, pool: Pool) -> None:
    assert client.get("/api/v1/acts").status_code == 403
    with transaction(pool) as cursor:
        record(cursor, OWNER, "try", "the audit", "a test")
    with machine(address, token(pool, "admin")) as admin:
        page = admin.get("/api/v1/acts", params={"limit": 1}).json()
        assert page["items"][0]["act"] == "create token"
        later = admin.get("/api/v1/acts", params={"limit": 1, "after": page["next"]}).json()
        assert (later["items"][0]["act"], later["items"][0]["reason"]) == ("try", "a test")
