"""`hourstream metrics`: the catalogue of the workers' metrics, or their present values."""

import urllib.request
from pathlib import Path

import click

from cli.context import console, print_json
from cli.plain_console import styled
from devstack.prometheus_targets import targets
from metrics.metric_catalogue import CATALOGUE, page
from settings import CHECKOUT, Settings

PAGE = CHECKOUT / "docs" / "metrics.md"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--write", is_flag=True, help=f"Rewrite {PAGE.relative_to(CHECKOUT)}.")
@click.option("--now", is_flag=True, help="Ask the workers that run here for their figures of this moment.")
def metrics(as_json: bool, write: bool, now: bool) -> None:
    """List every metric: its name, kind, labels, the workers that serve it, and its meaning."""
    if now:
        _tell_now(Settings.load().home)
    elif write:
        PAGE.write_text(page(), encoding="utf-8")
    elif as_json:
        print_json(
            [
                {"name": each.shown, "kind": each.kind, "labels": each.labels, "of": each.of, "says": each.says}
                for each in CATALOGUE.values()
            ]
        )
    else:
        for each in CATALOGUE.values():
            labels = "{" + ", ".join(each.labels) + "}" if each.labels else ""
            heading = styled(each.shown, "bold") + f"{labels}  " + styled(f"{each.kind} of {each.of}", "dim")
            console.print(heading, soft_wrap=True)
            console.print(f"    {each.says}", soft_wrap=True)


def _tell_now(home: Path) -> None:
    addresses = targets(home)
    if not addresses:
        raise click.ClickException(f"no worker runs on {home}: start them with `hourstream up`")
    for name, address in sorted(addresses.items()):
        console.print(f"# worker {name}")
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            click.echo(answer.read().decode())
