"""Mapping files of billing applications: what a value comes to, and what is said of a file that is wrong."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rating.model.money import minor_units
from sinks.http import mapping
from sinks.http.mapping import load, read
from sinks.http.request_body import Unwritable, path_text, written
from sources.mapping.errors import MappingError
from tests.contract.sinks.sink_charges import charge

SAMPLE = Path(mapping.__file__).with_name("ledgerline.yaml")


def of(value: str, **fields: object) -> object:
    """What a value comes to for a charge, as the receiver would read it; ABSENT where it is left out."""
    fields.setdefault("subject", "time:a")
    mapped = read("test.yaml", f"path: /x\nfields:\n  it: {value}\n")
    return orjson.loads(orjson.dumps(written(mapped.fields, charge("a", **fields)))).get("it", "ABSENT")


def test_values() -> None:
    cases: list[tuple[str, object]] = [
        ("acme", "acme"),
        ("30", 30),
        ("null", None),
        ('"8.5"', "8.5"),
        ("$engagement_id", "E-1"),
        ("$amount", "83.33"),
        ("$work_date", "2025-03-14"),
        ("$decided_at", "2025-03-15T00:00:00.000Z"),
        ("$worked_minutes", 60),
        ("$lineage.source", "test"),
        ("$po_number", "ABSENT"),
        ("${period}/${client_id}", "2025-03/C-1"),
        ("PO ${po_number}", "ABSENT"),
        ("{$translate: $tax_category, to: {S: standard}}", "standard"),
        ("{$translate: '${kind}-${region}', to: {time-EMEA: 7}}", 7),
        ("{$translate: $po_number, to: {S: standard}}", "ABSENT"),
        ("{$decimal: $amount, places: 4}", "83.3300"),
        ("{$decimal: $amount, places: currency}", "83.33"),
        ("{$decimal: $tax_rate}", "20"),
        ("{$number: $amount, places: 2}", 83.33),
        ("{$number: $tax_rate}", 20),
        ("{$minor: $amount}", 8333),
        ("{$decimal: $po_number}", "ABSENT"),
        ('{$date: $work_date, format: "%d.%m.%Y"}', "14.03.2025"),
        ("{$each: $components, fields: {m: $minutes, r: {$decimal: $rate, places: 2}}}", [{"m": 60, "r": "100.00"}]),
        ("{number: $po_number, who: $client_id}", {"who": "C-1"}),
        ("[$kind, $po_number, 2]", ["time", 2]),
    ]
    assert [(value, of(value, amount=Decimal("83.33"))) for value, _ in cases] == cases


def test_a_number_is_written_as_it_is_and_not_as_a_float() -> None:
    mapped = read("test.yaml", "path: /x\nfields: {it: {$number: $amount, places: currency}}\n")
    big = charge("a", amount=Decimal("123456789012.10"))
    assert orjson.dumps(written(mapped.fields, big)) == b'{"it":123456789012.10}'


amounts = st.decimals(-(10**11), 10**11, places=6, allow_nan=False)


@given(amounts, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_no_amount_is_ever_rounded(amount: Decimal, currency: str) -> None:
    places = minor_units(currency)
    fits = amount == round(amount, places)
    for value in ("{$decimal: $amount, places: currency}", "{$minor: $amount}", "$amount"):
        try:
            said = of(value, amount=amount, currency=currency)
        except Unwritable:
            assert not fits
        else:
            exact = Decimal(str(said)).scaleb(-places) if "minor" in value else Decimal(str(said))
            assert exact == amount


def test_what_cannot_be_written_says_why() -> None:
    with pytest.raises(Unwritable, match=r"\$amount is 0\.003, which does not fit 2 places"):
        of("{$minor: $amount}", amount=Decimal("0.003"))
    with pytest.raises(Unwritable, match="is 'AE', which the mapping does not translate: it knows S, Z"):
        of("{$translate: $tax_category, to: {S: a, Z: b}}", tax_category="AE")


def test_a_path_may_depend_on_the_charge() -> None:
    mapped = read("test.yaml", "path: /c/${client_id}/${work_date}\nmethod: PUT\nfields: {}\n")
    assert path_text(mapped.path, charge("a", client_id="a/b c")) == "/c/a%2Fb%20c/2025-03-14"
    mapped = read("test.yaml", "path: /c/${po_number}\nfields: {}\n")
    with pytest.raises(Unwritable, match="is empty"):
        path_text(mapped.path, charge("a"))


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("fields: {}", 1, "a mapping lacks `path`; add it"),
        ("path: /x\nfields: {}\nfeilds: {}", 3, r"no `feilds` \(did you mean `fields`\?\)"),
        ("path: x\nfields: {}", 1, "path must begin with a slash"),
        ("path: /x\nmethod: GET\nfields: {}", 2, "method is 'GET'; write one of POST, PUT, PATCH"),
        ("path: /x\nfields:\n  a: $amuont", 3, r"\$amuont: a charge has no such field \(did you mean `amount`\?\)"),
        ("path: /x\nfields:\n  a: $lineage.nothing", 3, "a charge has no such field"),
        ("path: /x\nfields:\n  a: {$each: $amount, fields: {}}", 3, r"\$amount is no list"),
        ("path: /x\nfields:\n  a: {$each: $components, fields: {x: $client_id}}", 3, "a charge has no such field"),
        ("path: /x\nfields:\n  a: {$decmal: $amount}", 3, r"there is no \$decmal \(did you mean `\$decimal`\?\)"),
        ("path: /x\nfields:\n  a: {$decimal: $amount, places: 7}", 3, "places is 7; write 0 to 6, or currency"),
        ("path: /x\nfields:\n  a: {$minor: amount}", 3, r"must be a path such as \$amount"),
        ("path: /x\nfields:\n  a: {$translate: S, to: {}}", 3, r"\$translate must be a path"),
        ("path: /x\nfields:\n  a: 1\n  a: 2", 4, "`a` twice"),
        ("path: /x/${client_id}\nfields: {}\nbatch: {size: 2, items: c}", 1, "cannot depend on a charge"),
        ("path: /x\nfields: {}\nbatch: {size: 0, items: c}", 3, "size is 0; write a number of charges"),
        ("path: /x\nfields: {}\nbatch: {size: 2, items: c}", 1, "the answer to a batch needs `items`"),
        ("path: /x\nfields: {}\nstatuses: {posted: [200], refused: [200]}", 3, "cannot be both"),
        ("path: /x\nfields: {}\nstatuses: {posted: [99]}", 3, "99 is no HTTP status"),
        ("path: /x\nfields: {}\nanswer: {result: $a}", 3, "`result` and `posted` belong together"),
        ("path: /x\nfields: {}\nanswer: {result: $a, posted: [a], refused: [a]}", 3, "cannot mean both"),
        ("path: /x\nfields: {}\nanswer: {items: $a}", 3, "this mapping has no `batch`"),
        ("", 1, "the file is empty"),
    ],
)
def test_a_wrong_file_is_told_of_by_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(MappingError, match=rf"test\.yaml, line {line}: .*{told}"):
        read("test.yaml", text)


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="cannot be read: No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("path: /\xfc".encode("latin-1"))
    with pytest.raises(MappingError, match="not UTF-8"):
        load(tmp_path / "latin.yaml")


def test_the_sample_says_every_word_of_the_language() -> None:
    assert load(SAMPLE).batch is not None
    text = SAMPLE.read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)) == {"path", "headers", "fields", "batch", "statuses", "answer"}
    assert of("$decided_at", decided_at=datetime(2025, 1, 1, tzinfo=UTC)) == "2025-01-01T00:00:00.000Z"
