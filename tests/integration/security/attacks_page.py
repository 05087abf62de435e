"""The section of docs/attacks.md about seals, made of the attacks themselves.

`python -m tests.integration.security.attacks_page` writes it anew; the rest of the page is left as it is.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.integration.security.attacks_on_chains import CHAIN, KEYLESS, TOPIC_ATTACKS, WITH_KEY
from tests.integration.security.attacks_on_rows import ROWS, TABLES
from tests.integration.security.attacks_on_sealer import CONTINUED, REFUSED
from tests.integration.security.seal_attack import Attack

PAGE = Path(__file__).parents[3] / "docs" / "attacks.md"
TITLE = "## Seals"
_TESTS = "tests/integration/security/test_seal_attacks.py"
_INTRODUCTION = """
The attacker owns Kafka and the database: topics are written anew with the offsets and times they had, rows are changed
with triggers off. `found`: `hourstream verify` fails and names it. `found by kept heads`: only `verify --head FILE`,
with heads that were printed before by `hourstream seal --head`, finds it. `harmless`: nothing that was sealed is
altered; what was put in is reported by its position and skipped. `refused`: `hourstream seal` does not continue.

| what is done | to | with the key | verdict | test |
|---|---|---|---|---|
"""
_GROUPS: tuple[tuple[str, str, str, Mapping[str, Attack]], ...] = (
    ("row", "no", "test_row", ROWS),
    ("table", "no", "test_table", TABLES),
    ("topic", "no", "test_topic", TOPIC_ATTACKS),
    ("chain", "no", "test_chain", CHAIN),
    ("all of it", "yes", "test_with_the_key", WITH_KEY),
    ("all of it", "there is none", "test_without_any_key", KEYLESS),
    ("sealer", "no", "test_sealer_refuses", REFUSED),
    ("sealer", "no", "test_sealer_continues", CONTINUED),
)


def section() -> str:
    """The section, from its title on."""
    return f"{TITLE}\n{_INTRODUCTION}" + "".join(_rows())


def _rows() -> Iterator[str]:
    for thing, key, test, attacks in _GROUPS:
        for name, attack in attacks.items():
            verdict = "refused" if attacks is REFUSED else attack.verdict
            yield f"| {name} | {thing} | {key} | {verdict} | `{_TESTS}::{test}[{name}]` |\n"


def with_section(page: str) -> str:
    """The page with its section about seals replaced, or put at its end."""
    before, title, after = page.partition(f"{TITLE}\n")
    if not title:
        return f"{page.rstrip()}\n\n{section()}"
    _, next_title, rest = after.partition("\n## ")
    return before + section() + (f"{next_title}{rest}" if next_title else "")


if __name__ == "__main__":
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
