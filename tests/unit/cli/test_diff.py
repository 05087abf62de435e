"""What a proposal would change: two runs' ledgers compared by client and engagement."""

import json
from decimal import Decimal
from pathlib import Path

from click.testing import CliRunner

from cli.diff import changes_between, diff


def line(subject: str, amount: str, *, engagement: str = "E1", state: str = "charged") -> dict[str, object]:
    currency = "USD" if state == "charged" else None
    return {"subject": subject, "engagement_id": engagement, "state": state, "amount": amount, "currency": currency}


def run_folder(path: Path, *ledger: dict[str, object]) -> Path:
    path.mkdir()
    (path / "ledger.jsonl").write_text("".join(json.dumps(each) + "\n" for each in ledger))
    engagements = sorted({str(each["engagement_id"]) for each in ledger})
    charges = ({"engagement_id": engagement, "client_id": f"client of {engagement}"} for engagement in engagements)
    (path / "charges.jsonl").write_text("".join(json.dumps(each) + "\n" for each in charges))
    return path


def test_another_rate_shows_where_it_bills_more_and_what_it_frees(tmp_path: Path) -> None:
    a = run_folder(
        tmp_path / "a",
        line("time:1", "100.00"),
        line("time:2", "0", state="parked"),
        line("time:3", "50.00", engagement="E2"),
    )
    b = run_folder(
        tmp_path / "b", line("time:1", "110.00"), line("time:2", "20.00"), line("time:3", "50.00", engagement="E2")
    )
    (change,) = changes_between(a, b)
    assert (change.client_id, change.engagement_id, change.subjects) == ("client of E1", "E1", 2)
    assert (change.before, change.after, change.difference) == (Decimal(100), Decimal(130), Decimal(30))
    assert change.moves == {"parked -> charged": 1}
    assert "+30.00" in CliRunner().invoke(diff, [str(a), str(b)]).output
    assert json.loads(CliRunner().invoke(diff, [str(a), str(b), "--json"]).output)[0]["difference"] == "30"


def test_the_same_ledger_is_no_difference(tmp_path: Path) -> None:
    a, b = (run_folder(tmp_path / name, line("time:1", "100.00")) for name in "ab")
    assert changes_between(a, b) == []
    assert "no difference" in CliRunner().invoke(diff, [str(a), str(b)]).output


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    a = run_folder(tmp_path / "a", line("time:1", "100.00"))
    empty = tmp_path / "empty"
    empty.mkdir()
    found = CliRunner().invoke(diff, [str(a), str(empty)])
    assert found.exit_code == 1
    assert f"{empty / 'ledger.jsonl'} is not there" in found.output
    (empty / "ledger.jsonl").write_text('{"subject"\n')
    assert "ledger.jsonl:1: no JSON" in CliRunner().invoke(diff, [str(a), str(empty)]).output
