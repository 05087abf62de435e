"""A source that is not built in, a German time clock: what a person adds to a checkout for it, and an export of it.

It has no durations, only times on the clocks of Berlin, in Windows' own encoding, with semicolons.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from settings import CHECKOUT
from tests.unit.test_rooms import PACKAGES

MAPPING = """
system: stechuhr
entities:
  buchungen:
    topic: source.stechuhr.buchungen
    file:
      encoding: windows-1252
      delimiter: ";"
      columns:
        name: Mitarbeiter
        auftrag: Auftrag
        kommen: Kommen
        gehen: Gehen
      key: [name, kommen]
      repeats: same
    publish:
      - topic: time.entries
        fields:
          entry_id: stechuhr-${id}
          engagement_id: {$code: $auftrag, kind: engagement}
          task_id: {$code: $auftrag, kind: task}
          consultant_id: {$code: $name, kind: consultant}
          work_date: {$day: $kommen, format: "%d.%m.%Y %H:%M"}
          minutes:
            $between: {$instant: $kommen, format: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
            and: {$instant: $gehen, format: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
          billable: true
          status: approved
          occurred_at: {$instant: $gehen, format: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
"""
SCHEMA = {
    "type": "record", "name": "Buchung", "namespace": "hourstream.upstream.stechuhr",
    "owner": "delivery", "data_class": "personal", "doc": "A line of the time clock.",
    "fields": [
        {"name": name, "type": "string", "owner": "delivery", "data_class": "personal", "doc": "As exported."}
        for name in ("id", "name", "auftrag", "kommen", "gehen")
    ],
}  # fmt: skip
EXPORT = """Mitarbeiter;Kostenstelle;Auftrag;Kommen;Gehen
Jürgen Groß;100;A-1;29.03.2025 22:00;30.03.2025 06:00
Jürgen Groß;100;A-1;25.10.2025 22:00;26.10.2025 06:00
Jürgen Groß;100;A-2;28.10.2025 08:00;28.10.2025 16:30
Jürgen Groß;100;A-2;26.10.2025 02:30;26.10.2025 04:00
Jürgen Groß;100;A-2;28.10.2025 18:00;28.10.2025 17:00
"""


def checkout_with_it(folder: Path) -> Path:
    """A copy of this checkout, with two files more, the schema released."""
    for room in PACKAGES:
        shutil.copytree(CHECKOUT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "*.xz"))
    (folder / "sources" / "stechuhr.yaml").write_text(MAPPING, encoding="utf-8")
    upstream = folder / "schemas" / "upstream" / "stechuhr"
    upstream.mkdir()
    (upstream / "source.stechuhr.buchungen.avsc").write_text(json.dumps(SCHEMA), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "schemas.released"], cwd=folder, check=True, capture_output=True, timeout=240)
    return folder
