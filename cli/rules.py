"""`hourstream rules`: the meaning and remedy of a code, and the rules reference, docs/rules.md."""

import click

from cli.context import console, print_json
from cli.plain_console import styled
from rating.exception_codes import CODES, REASONS
from settings import CHECKOUT
from tools.rules_reference.page import page
from topics.catalogue import owners_of

PAGE = CHECKOUT / "docs" / "rules.md"


@click.command()
@click.argument("code", required=False)
@click.option("--write", is_flag=True, help=f"Rewrite {PAGE.relative_to(CHECKOUT)}.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: every code, its section, owners and remedy.")
def rules(code: str | None, write: bool, as_json: bool) -> None:
    """Explain CODE of an exception: its section of the rules, its owner, its remedy. Without CODE, all codes."""
    if write:
        PAGE.write_text(page(CHECKOUT), encoding="utf-8")
        return
    if code is not None and code.upper() not in CODES:
        reason = REASONS.get(code.upper())
        why = f"is a reason of charges ({reason} of docs/DOMAIN.md)" if reason else "is no code of an exception"
        raise click.ClickException(f"{code} {why}; `hourstream rules` lists the codes")
    wanted = list(CODES) if code is None else [code.upper()]
    if as_json:
        told = {name: CODES[name] for name in wanted}
        print_json(
            [
                {
                    "code": name,
                    "section": each.section,
                    "owners": owners_of(each.topics),
                    "topics": each.topics,
                    "heals": each.heals,
                }
                for name, each in told.items()
            ]
        )
        return
    for name in wanted:
        each = CODES[name]
        who = f"{each.section}, ask {' or '.join(owners_of(each.topics))}"
        console.print(styled(name, "bold") + "  " + styled(who, "dim"), soft_wrap=True)
        console.print(f"    {each.heals}", soft_wrap=True)
