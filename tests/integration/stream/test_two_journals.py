"""An old and a new ERP as workers of one stream: each is given what the routes say, and all of it ties."""

import json
from pathlib import Path

from tests.integration.stream.running import running
from tests.unit.tables.contents import MASTERS, entry, line

ROUTES = """
default: [journal]
policies:
  - {client: CL, from: 2024-02-01, until: 2024-03-01, to: [journal, next]}
  - {legal_entity: Compass, from: 2024-03-01, to: next}
"""
DAYS = {"january": "2024-01-31", "february": "2024-02-01", "march": "2024-03-01"}


def test_a_migration_month_by_month(tmp_path: Path) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    with running(tmp_path / "home", ("intake", "metrics"), journals="next", routes=routes) as stream:
        assert "erp-next" in stream.workers.names
        stream.takes(*(stream.next_revision(content) for content in MASTERS))
        stream.takes(*(line(entry("E1", name, work_date=day)) for name, day in DAYS.items()))
        stream.takes(line(entry("E1", "march", 120, work_date=DAYS["march"]), revision=2))  # a reversal and a charge
        found = stream.hourstream("reconcile", "--json")
        assert found.exit_code == 0, found.output
        (account, *others) = json.loads(found.stdout)["accounts"]
        posted = {one["period"]: set(one["journal"]) for one in (account, *others)}
        assert posted == {"2024-01": {"journal"}, "2024-02": {"journal", "next"}, "2024-03": {"next"}}
        report = json.loads(stream.hourstream("parity", "journal", "next", "--json").stdout)
        assert (report["both"], report["same"], report["differences"]) == (1, 1, [])
        assert (len(report["only_old"]), len(report["only_new"])) == (1, 3)
        assert set(stream.charge_states().values()) == {"posted"}
        traced = json.loads(stream.hourstream("trace", "time:february", "--json").stdout)
        assert sorted(step["what"].split()[0] for step in traced["steps"] if step["stage"] == "posting") == [
            "journal",
            "next",
        ]
        unknown = stream.hourstream("worker", "erp-none")
        assert (unknown.exit_code, "there is no worker erp-none" in unknown.output) == (2, True)
        assert json.loads(stream.hourstream("audit", "--json").stdout)["all_true"]
