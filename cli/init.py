"""`hourstream init DIR`: writes a workbook with a small firm, to be overwritten with one's own data."""

from pathlib import Path

import click

from sources.workbook.sample_firm import sample_firm
from sources.workbook.write import FILE, write_csv, write_workbook
from topics import topic_names


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--csv", "as_csv", is_flag=True, help="CSV files, one a sheet, in place of a workbook.")
@click.option("--empty", is_flag=True, help="Without the sample firm: headers and tax rules only.")
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
def init(folder: Path, as_csv: bool, empty: bool, force: bool) -> None:
    """Write DIR/firm.xlsx: a sheet for each kind of record, and a small firm that bills.

    Overwrite the sample with your own data, then `hourstream check DIR` and `hourstream publish DIR`.
    """
    there = sorted(folder.glob("*.csv")) if as_csv else [path for path in (folder / FILE,) if path.exists()]
    if there and not force:
        raise click.ClickException(f"{there[0]} is there already; give another folder, or --force to overwrite it")
    firm = sample_firm()
    if empty:
        firm = {topic: records for topic, records in firm.items() if topic == topic_names.MASTER_TAX_RULES}
    if as_csv:
        click.echo(f"{len(write_csv(folder, firm))} files in {folder}")
    else:
        write_workbook(folder / FILE, firm)
        click.echo(f"{folder / FILE}")
    click.echo("overwrite the sample firm with your own data, then:")
    click.echo(f"  hourstream check {folder}\n  hourstream publish {folder}")
