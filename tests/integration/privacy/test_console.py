"""The console opens names where it has the key: on pages and in files, never in what a form sends back."""

import json
import re

import pytest

from devstack.stack import Stack
from privacy.decrypt import ERASED
from privacy.vault import Person
from rating.model.ids import exception_id
from schemas.codec import decode_for
from settings import Settings
from streaming.admin import admin_client
from streaming.topic_reader import read_all
from tests.integration.console.test_pages import console, get, post
from tests.integration.privacy.conftest import Safe
from tests.integration.sinks.test_warehouse import parked, take
from topics.catalogue import TOPICS
from topics.create import create_topics
from warehouse.writer import Warehouse

NAME = "Ada <b>Lovelace"
SUBJECT = "source:harvest:entries:1"
PAGE = f"/exceptions/{exception_id('', SUBJECT)}"


@pytest.fixture
def token(safe: Safe) -> str:
    """Of somebody whose code nobody has mapped, which an exception says."""
    vault, person = safe.open(), Person("harvest", "person", NAME)
    vault.keys([person])
    found = vault.token(person)
    message = f"the consultant code {found!r} of harvest is not mapped"
    missing = {"kind": "code", "id": f"harvest:consultant:{found}", "day": None}
    take(Warehouse(safe.pool), [parked(0, SUBJECT, "", code="UNMAPPED_CODE", message=message, missing=missing)])
    return found


def settings_of(stack: Stack, safe: Safe | None) -> Settings:
    key_file = None if safe is None else safe.key_file
    return stack.settings.model_copy(update={"people_key_file": key_file})


def test_names_are_shown_escaped_and_forms_send_tokens(stack: Stack, safe: Safe, token: str) -> None:
    with console(safe.pool, settings_of(stack, safe), "viewer", "operator") as address:
        for path in ("/causes", "/exceptions"):
            code, page = get(address + path)
            assert (code, "Ada &lt;b&gt;Lovelace" in page, "<b>Lovelace" in page) == (200, True, False), path
        assert f'name="code" value="{token}"' in get(address + PAGE)[1]
        assert NAME in get(f"{address}/exceptions.csv")[1]
        assert NAME in get(f"{address}/causes.csv")[1]
    with console(safe.pool, settings_of(stack, None), "viewer") as address:
        page = get(f"{address}/causes")[1]
        assert (token in page, "Lovelace" in page) == (True, False)


def test_a_name_that_is_mapped_is_noted_and_published_as_its_token(stack: Stack, safe: Safe, token: str) -> None:
    vault = safe.open()
    create_topics(admin_client(stack.broker), [TOPICS["master.code-map"]], 1)
    with console(safe.pool, settings_of(stack, safe), "viewer", "operator") as address:
        csrf = re.findall(r'name="csrf" value="([^"]+)"', get(address + PAGE)[1])[0]
        named = {"csrf": csrf, "system": "harvest", "kind": "consultant", "canonical_id": "C-17", "reason": "same"}
        code, page = post(f"{address}/mappings", code=f" {NAME.upper()}", **named)
        assert code == 200, page
        vault.erase([token], "the office", "asked for")
        assert "Lovelace" not in get(f"{address}/causes")[1]
        assert ERASED in get(f"{address}/causes")[1]
    with safe.pool.connection() as connection:
        noted = connection.execute("SELECT act, subject FROM hourstream.acts").fetchall()
    assert noted == [("map", f"harvest:consultant:{token} -> C-17")]
    values = [decode_for("master.code-map", r.value or b"") for r in read_all(stack.broker, ["master.code-map"])]
    assert token in {value["code"] for value in values}
    assert "<B>" not in json.dumps([value["code"] for value in values]).upper()


def test_a_console_without_the_key_maps_no_name(stack: Stack, safe: Safe, token: str) -> None:
    with console(safe.pool, settings_of(stack, None), "viewer", "operator") as address:
        csrf = re.findall(r'name="csrf" value="([^"]+)"', get(address + PAGE)[1])[0]
        named = {"csrf": csrf, "system": "harvest", "kind": "consultant", "canonical_id": "C-17", "reason": "same"}
        code, page = post(f"{address}/mappings", code=NAME, **named)
        assert (code, "this console has no key" in page) == (422, True)
    with safe.pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM hourstream.acts").fetchone() == (0,)
