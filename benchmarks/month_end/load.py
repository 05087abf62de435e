"""Rows of Harvest's export, and what people have mapped of them: the projects and people of settle's load."""

from collections.abc import Iterator

from benchmarks.enrichment.generate import CONSULTANTS, PROJECTS, Entry, consultant_id, project_id
from schemas.codec import encode

SOURCE, TOPIC = "harvest", "source.harvest.entries"


def as_row(entry: Entry) -> tuple[bytes, bytes]:
    """(key, framed value) of a row of the export."""
    return entry.entry_id.encode(), encode(TOPIC, _row(entry))


def _row(entry: Entry) -> dict[str, object]:
    client, project, task, (first, last) = _codes(entry.project, entry.consultant)
    return {
        "id": entry.entry_id, "date": entry.work_date.isoformat(), "client": client, "project": project,
        "project_code": None, "task": task, "notes": entry.note, "hours": f"{entry.minutes / 60:.2f}",
        "billable": "Yes", "approved": "Yes", "first_name": first, "last_name": last, "roles": None, "currency": None,
    }  # fmt: skip


def _codes(project: int, consultant: int) -> tuple[str, str, str, tuple[str, str]]:
    return "Client", f"Project {project}", "Work", ("Person", f"No {consultant}")


def code_map() -> Iterator[tuple[str, str, dict[str, object]]]:
    """The codes that people map once: every project, task and person of the rows."""
    for project in range(PROJECTS):
        client, name, task, _ = _codes(project, 0)
        yield _mapped("engagement", f"{client} / {name}", project_id(project))
        yield _mapped("task", f"{client} / {name} / {task}", f"T-{project:05d}")
    for consultant in range(CONSULTANTS):
        yield _mapped("consultant", " ".join(_codes(0, consultant)[3]), consultant_id(consultant))


def _mapped(kind: str, code: str, canonical: str) -> tuple[str, str, dict[str, object]]:
    return "master.code-map", f"{SOURCE}:{kind}:{code}", {
        "system": SOURCE, "kind": kind, "code": code, "canonical_id": canonical, "source": "bench", "revision": 1,
        "occurred_at": "2020-01-01T00:00:00.000Z",
    }  # fmt: skip
