"""`hourstream backup` and `hourstream restore`: an embedded stack into one file, and back."""

from pathlib import Path

import click

from cli.context import console
from devstack import backup as archive
from settings import Settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Write Kafka's topics and PostgreSQL's data to FILE, while the stack is stopped."""
    home = Settings.load().home
    size = archive.back_up(home, file)
    console.print(f"{home} is in {file}, {size / 2**20:,.1f} MiB. It holds the database's password: keep it as one.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def restore(file: Path) -> None:
    """Restore FILE as the stack of HOURSTREAM_HOME, which must hold none."""
    home = Settings.load().home
    files = archive.restore(file, home)
    console.print(f"{files:,} files of {file} are in {home}. `hourstream up` starts it, `hourstream audit` checks it.")
