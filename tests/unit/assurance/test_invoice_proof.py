"""`tools/verify_invoice.py` derives every line of sound invoices, and finds each planted alteration of a bundle."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.invoice_bundle import VERIFIER, write
from common.errors import InvalidRecord
from schemas.codec import decode_for, encode
from schemas.json_codec import from_json, to_json
from tests.unit.assurance.proof_bundles import Firm
from tests.unit.tables.histories import histories
from tests.unit.tables.stream import Line, Stream
from tests.unit.tables.test_any_arrival import HISTORIES, NAMES, draws, lines_of
from tools import verify_invoice
from tools.verify_invoice import Engagement, Proof, winning
from topics.catalogue import check

PROGRAM = Path(verify_invoice.__file__)
ALL_DAYS = date(2099, 12, 31)
KEY = b"the key of the seals"
MOST_KINDS = "E7"  # time by card, minutes agreed, expenses with and without conversion, fees and adjustments


def sound_lines(name: str) -> list[Line]:
    """The lines of a worked example that are no dead letters."""
    found = []
    for line in lines_of(name, "facts"):
        try:
            check(line["topic"], line["key"].encode(), from_json(line["topic"], line["value"]))
        except InvalidRecord:
            continue
        found.append(line)
    return found


@cache
def firm_of(name: str) -> Firm:
    """A worked example that arrives in two parts, each followed by an invoice run."""
    firm, lines = Firm(), sound_lines(name)
    middle = len(lines) * 2 // 3
    for part in (lines[:middle], lines[middle:]):
        for start in range(0, len(part), 40):
            firm.deliver(part[start : start + 40])
        firm.invoice(ALL_DAYS)
    return firm


@cache
def corrected() -> tuple[Firm, str, str]:
    """An example invoiced at once; then an entry is withdrawn and an expense corrected, and a run credits them."""
    firm, lines = Firm(), sound_lines("all-features")
    firm.deliver(lines)
    firm.invoice(ALL_DAYS)
    first = next(name for name, draft in firm.invoices.items() if draft.account.engagement_id == MOST_KINDS)
    billed = {
        charge["subject"] for charge in firm_charges(firm) if charge["charge_id"] in firm.invoices[first].charge_ids
    }
    facts = [line for line in lines if line["value"].get("engagement_id") == MOST_KINDS]
    entry = last_of(facts, "time.entries", "entry_id", "time:", billed)
    expense = last_of(facts, "expenses", "expense_id", "expense:", billed)
    entry["value"] |= {"revision": entry["value"]["revision"] + 100, "status": "withdrawn"}
    expense["value"] |= {"revision": expense["value"]["revision"] + 100, "amount": "1.00"}
    firm.deliver([entry, expense])
    [second] = firm.invoice(ALL_DAYS)
    return firm, first, second


def firm_charges(firm: Firm) -> list[dict[str, Any]]:
    return [charge for of in firm.books.charges.values() for charge in of]


def last_of(facts: list[Line], topic: str, id_: str, prefix: str, billed: set[object]) -> Line:
    own = [line for line in facts if line["topic"] == topic and prefix + line["value"][id_] in billed]
    found = max(own, key=lambda line: (line["value"][id_], line["value"]["revision"]))
    return {**found, "value": dict(found["value"])}


def faults(files: dict[str, bytes], key: bytes = b"", head: str | None = None) -> list[str]:
    return Proof(files, key, head).faults


@pytest.mark.parametrize("name", NAMES)
def test_every_invoice_of_the_worked_examples_is_derived_without_a_fault(name: str) -> None:
    firm = firm_of(name)
    found = {invoice: faults(firm.bundle(invoice)) for invoice in firm.invoices}
    assert len(found) > 1
    assert found == {invoice: [] for invoice in firm.invoices}


def test_an_invoice_whose_charges_were_reversed_since_is_derived_from_what_was_known_then() -> None:
    firm, first, _ = corrected()
    proof = Proof(firm.bundle(first), b"", None)
    assert proof.faults == []
    assert any("reversed since" in said and not said.startswith("0 ") for said in proof.said)


def test_a_credit_note_names_what_it_credits() -> None:
    firm, first, second = corrected()
    assert firm.invoices[second].kind == "credit_note"
    assert json.loads(firm.bundle(second)["invoice.json"])["value"]["credits"] == [first]
    assert faults(firm.bundle(second)) == []


def test_the_program_runs_in_a_fresh_python_over_a_folder_and_a_zip_file(tmp_path: Path) -> None:
    firm, first, _ = corrected()
    key_file = tmp_path / "key"
    key_file.write_bytes(KEY + b"\n")
    for target in (tmp_path / "folder", tmp_path / "bundle.zip"):
        write(firm.bundle(first, PROGRAM.read_bytes(), KEY), target)
        (tmp_path / VERIFIER).write_bytes(PROGRAM.read_bytes())
        command = [sys.executable, "-I", "-S", str(tmp_path / VERIFIER), str(target), "--key", str(key_file)]
        done = subprocess.run(command, capture_output=True, text=True, env={}, cwd=tmp_path, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{first}: 0 faults" in done.stdout


def test_the_program_needs_the_standard_library_only_and_is_short() -> None:
    lines = PROGRAM.read_text(encoding="utf-8").splitlines()
    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names
    assert len(lines) < 600


def test_without_the_key_it_says_that_the_seals_were_not_recomputed() -> None:
    firm, first, _ = corrected()
    proof = Proof(firm.bundle(first, key=KEY), b"", None)
    assert proof.faults == []
    assert any("key was not given" in left for left in proof.left)


def test_seals_made_anew_with_another_key_are_found_with_the_key() -> None:
    firm, first, _ = corrected()
    assert "the heads were altered" in faults(firm.bundle(first, key=b"another"), KEY)


def test_heads_kept_elsewhere_are_held_against_the_chains() -> None:
    firm, first, _ = corrected()
    files = firm.bundle(first)
    mine = files["heads.txt"].decode()
    assert faults(files, head=mine) == []
    assert faults(files, head=mine.replace(" hash ", " hash 0", 1)[:-1]) != []


class Altered:
    """A bundle that somebody alters, who also writes the list of files anew."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.invoice, self.manifest = json.loads(files["invoice.json"]), json.loads(files["manifest.json"])
        self.heads, self._files = files["heads.txt"].decode(), files
        self.facts, self.masters, self.charges, self.seals = (
            [json.loads(line) for line in files[f"{name}.jsonl"].splitlines()]
            for name in ("facts", "masters", "charges", "seals")
        )

    def files(self) -> dict[str, bytes]:
        files = dict(self._files)
        for name in ("facts", "masters", "charges", "seals"):
            files[f"{name}.jsonl"] = "".join(json.dumps(row) + "\n" for row in getattr(self, name)).encode()
        files |= {"invoice.json": json.dumps(self.invoice).encode(), "heads.txt": self.heads.encode()}
        digests = {name: sha256(files[name]).hexdigest() for name in self.manifest["files"]}
        files["manifest.json"] = json.dumps(self.manifest | {"files": digests}).encode()
        return files

    def billed(self, kind: str) -> dict[str, Any]:
        """The value of a charge on the invoice that still stands and has an amount."""
        undone = {row["value"]["reverses"] for row in self.charges}
        return next(
            row["value"]
            for row in self.charges
            if row["value"]["charge_id"] in self.invoice["value"]["charges"]
            and row["value"]["charge_id"] not in undone
            and row["value"]["kind"] == kind
            and float(row["value"]["amount"]) > 0
        )

    def fact(self, kind: str) -> dict[str, Any]:
        """The record that a charge on the invoice was made of."""
        lineage = self.billed(kind)["lineage"]
        return next(row for row in self.facts if all(row[n] == lineage[n] for n in ("topic", "partition", "offset")))

    def used(self, kind: str, of: str = "time") -> dict[str, Any]:
        """A master record that a charge on the invoice names."""
        undone = {row["value"]["reverses"] for row in self.charges}
        topic = {"expense_policy": "master.expense-policies"}.get(kind, f"master.{kind.replace('_', '-')}s")
        for row in self.charges:
            charge = row["value"]
            if (
                charge["kind"] == of
                and charge["charge_id"] in self.invoice["value"]["charges"]
                and float(charge["amount"])
            ):
                for ref in charge["lineage"]["masters"] if charge["charge_id"] not in undone else ():
                    if ref["kind"] == kind:
                        return next(
                            record
                            for record in self.masters
                            if record["topic"] == topic
                            and record["value"]["revision"] == ref["revision"]
                            and ref["id"] in _id_of(record["value"])
                        )
        raise LookupError(kind)

    def line_used(self) -> dict[str, Any]:
        """The line of the rate card of a time charge."""
        charge, card = self.billed("time"), self.used("rate_card")
        ref = next(ref for ref in charge["lineage"]["masters"] if ref["kind"] == "rate_card")
        found: dict[str, Any] = next(line for line in card["value"]["lines"] if line["line_id"] == ref["line_id"])
        return found

    def rewrite(self, row: dict[str, Any], **changes: object) -> None:
        """Alter a charge where it is shown and in its bytes."""
        topic = row["topic"]
        value = decode_for(topic, base64.b64decode(row["raw"]["value"])) | {
            name: from_json(topic, row["value"] | changes)[name] for name in changes
        }
        row["value"] |= changes
        row["raw"]["value"] = base64.b64encode(encode(topic, value)).decode()


def _id_of(value: dict[str, Any]) -> list[str]:
    fx = ":".join(str(value.get(name)) for name in ("base", "quote", "date"))
    return [fx, *(str(value[name]) for name in value if name.endswith("_id"))]


def drop(rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
    rows.remove(row)


def change(row: dict[str, Any], **changes: object) -> None:
    row["value"] |= changes


def swap_seals(b: Altered) -> None:
    one, two = [seal for seal in b.seals if seal["topic"] == "billing.ready"][:2]
    one["hash"], two["hash"] = two["hash"], one["hash"]


def swap_records(b: Altered) -> None:
    one, two = b.charges[:2]
    one["raw"], two["raw"] = two["raw"], one["raw"]


def grant(b: Altered) -> None:
    for row in b.masters:
        if row["topic"] == "master.engagements" and row["value"]["retainer"]:
            row["value"]["retainer"]["monthly_fee"] = "7.77"


def each_engagement(b: Altered, **changes: object) -> None:
    for row in b.masters:
        if row["topic"] == "master.engagements":
            row["value"] |= changes


def forge_invoice(b: Altered, **changes: str) -> None:
    """Alter the document where it is shown and in its bytes."""
    row = json.loads(base64.b64decode(b.invoice["raw"]["value"])) | changes
    b.invoice["value"] |= changes
    b.invoice["raw"]["value"] = base64.b64encode(json.dumps(row).encode()).decode()


ALTERATIONS: dict[str, Callable[[Altered], object]] = {
    "a charge's amount, as shown": lambda b: b.billed("time").update(amount="0.01"),
    "a charge's amount, in its bytes too": lambda b: b.rewrite(b.charges[0], amount="0.01"),
    "a charge's derivation, in its bytes too": lambda b: b.rewrite(b.charges[0], derivation="as agreed"),
    "a charge's tax rate": lambda b: b.billed("expense").update(tax_rate="1"),
    "a charge's purchase order": lambda b: b.billed("time").update(po_number="PO-0"),
    "a charge's id": lambda b: b.billed("time").update(charge_id="00000000-0000-5000-8000-000000000000"),
    "a dropped charge": lambda b: drop(b.charges, b.charges[3]),
    "a dropped reversal": lambda b: drop(b.charges, next(r for r in b.charges if r["value"]["reverses"])),
    "the bytes of two charges swapped": swap_records,
    "a charge's place": lambda b: b.charges[0].update(offset=b.charges[0]["offset"] + 1),
    "a dropped entry": lambda b: drop(b.facts, b.fact("time")),
    "an entry's minutes": lambda b: change(b.fact("time"), minutes=1439),
    "an entry's day": lambda b: change(b.fact("time"), work_date="2001-01-01"),
    "an entry's status": lambda b: change(b.fact("time"), status="withdrawn"),
    "an entry's consultant": lambda b: change(b.fact("time"), consultant_id="nobody"),
    "an entry's revision": lambda b: change(b.fact("time"), revision=77),
    "an entry's place": lambda b: b.fact("time").update(offset=1_000_000),
    "an entry billed no more": lambda b: change(b.fact("time"), billable=False),
    "an expense's amount": lambda b: change(b.fact("expense"), amount="0.02"),
    "an adjustment's amount": lambda b: change(b.fact("adjustment"), amount="0.03"),
    "a dropped period": lambda b: drop(b.facts, b.fact("fee")),
    "a rate": lambda b: b.line_used().update(amount="1.23"),
    "a rate's revision": lambda b: change(b.used("rate_card"), revision=b.used("rate_card")["value"]["revision"] + 50),
    "a rate's validity": lambda b: b.line_used().update(valid_to="2001-01-01"),
    "a rate's unit": lambda b: b.line_used().update(unit="day" if b.line_used()["unit"] == "hour" else "hour"),
    "a task's flag": lambda b: change(b.used("task"), billable=False),
    "a task of another engagement": lambda b: change(b.used("task"), engagement_id="E0"),
    "a tax rule's rate": lambda b: change(b.used("tax_rule", "expense"), rate="3"),
    "a client's id": lambda b: change(b.used("client"), client_id="C0"),
    "a fee": grant,
    "a discount": lambda b: each_engagement(b, discount_percent="99"),
    "a rounding": lambda b: each_engagement(b, rounding={"increment_minutes": 1440, "mode": "up", "scope": "entry"}),
    "a contract's end": lambda b: each_engagement(b, ends_on="2001-01-01"),
    "an exchange rate": lambda b: change(b.used("fx_rate", "expense"), rate="9"),
    "a mark-up": lambda b: [
        r.update(markup_percent="77") for r in b.used("expense_policy", "expense")["value"]["rules"]
    ],
    "a line's net": lambda b: b.invoice["value"]["lines"][0].update(net="0.05"),
    "a line's quantity": lambda b: b.invoice["value"]["lines"][0].update(quantity="12.5"),
    "a dropped line": lambda b: b.invoice["value"]["lines"].pop(),
    "a charge off the invoice": lambda b: b.invoice["value"]["charges"].pop(),
    "a tax amount": lambda b: b.invoice["value"]["taxes"][0].update(amount="0.07"),
    "the payable amount": lambda b: forge_invoice(b, payable="1.00"),
    "the buyer's name, in its bytes too": lambda b: forge_invoice(b, engagement_name="Another"),
    "the cut-off": lambda b: b.invoice.update(cut_off="2001-01-01"),
    "a swapped seal": swap_seals,
    "a dropped seal": lambda b: drop(b.seals, b.seals[-1]),
    "a seal's digest": lambda b: b.seals[0]["digests"][0].__setitem__(1, "0" * 64),
    "a seal's end": lambda b: b.seals[0].update(end=b.seals[0]["end"] + 1),
    "a head": lambda b: setattr(b, "heads", b.heads.replace(" records ", " records 1", 1)),
    "a dropped head": lambda b: setattr(b, "heads", b.heads.replace("billing.ready 0", "billing.other 0")),
    "the heads' signature": lambda b: setattr(b, "heads", b.heads.rpartition("mac ")[0] + "mac " + "0" * 64 + "\n"),
}


def test_there_are_enough_alterations() -> None:
    assert len(ALTERATIONS) >= 30


def test_the_bundle_that_is_altered_has_no_fault_before() -> None:
    firm, first, _ = corrected()
    assert faults(Altered(firm.bundle(first)).files()) == []


@pytest.mark.parametrize("name", ALTERATIONS)
def test_it_finds(name: str) -> None:
    firm, first, _ = corrected()
    bundle = Altered(firm.bundle(first))
    ALTERATIONS[name](bundle)
    assert faults(bundle.files()) != []


def test_it_finds_a_file_that_was_altered_without_its_digest() -> None:
    firm, first, _ = corrected()
    files = firm.bundle(first)
    assert faults(files | {"facts.jsonl": files["facts.jsonl"].replace(b"}", b"} ", 1)}) == [
        "facts.jsonl is not as it was written"
    ]


@draws(HISTORIES // 5)
@given(st.data())
def test_it_gives_the_charges_that_the_rules_give_on_random_histories(data: st.DataObject) -> None:
    stream, inputs = Stream(), list[dict[str, Any]]()
    lines = data.draw(histories())
    stream.deliver(lines)
    stream.rest()
    for number, line in enumerate(lines):
        if line["topic"] != "master.code-map":
            value = to_json(line["topic"], from_json(line["topic"], line["value"]))
            inputs.append({"topic": line["topic"], "timestamp": number, "value": value})
    known = winning(inputs, float("inf"))
    engagements = {group[0] for group in list(known) if isinstance(group, tuple)}
    found = {(id_, name): line for id_ in engagements for name, line in Engagement(id_, known).settle().items()}
    expected = {(line["engagement_id"], line["subject"]): line for line in stream.books.expected()}
    charged = {where: line for where, line in expected.items() if line["state"] == "charged"}
    assert found.keys() == charged.keys()
    for where, line in charged.items():
        numbers = {name: Fraction(str(line[name])) for name in ("amount", "worked_minutes", "billable_minutes")}
        assert {name: found[where][name] for name in numbers} == numbers
        assert [found[where][name] for name in ("tax_category", "reason")] == [line["tax_category"], line["reason"]]
