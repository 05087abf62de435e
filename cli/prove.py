"""`hourstream prove INVOICE`: a bundle with which anyone can check the invoice without Hourstream."""

from importlib.resources import files
from pathlib import Path

import click

from assurance.invoice_bundle import VERIFIER, files_of, write
from assurance.seal_heads import FileCopy
from assurance.seal_heads_table import TableCopy
from cli.context import attached, console, errors
from invoicing.file_names import file_stem
from operations.prove import gather
from settings import Settings
from storage.migrations import migrate
from storage.postgres import open_pool


@click.command()
@click.argument("invoice_id", metavar="INVOICE")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A folder, or a file that ends in .zip. Default: INVOICE.zip here."
)
def prove(invoice_id: str, out: Path | None) -> None:
    """Write everything that INVOICE was derived from, and the program that checks it.

    Seal first (`hourstream seal`): what is not sealed yet could have been altered together with the bundle.
    """
    settings = Settings.load()
    target = out or Path(f"{file_stem(invoice_id)}.zip")
    with attached(settings) as stack, open_pool(stack.postgres_url) as pool, errors.status("reading"):
        migrate(pool)
        copies = (FileCopy(settings.seal_heads), TableCopy(pool))
        evidence = gather(stack.broker, pool, settings.seal_key, copies, invoice_id)
    write(files_of(evidence, files("tools").joinpath(VERIFIER).read_bytes()), target)
    console.print(
        f"{target}: {len(evidence.facts):,} facts, {len(evidence.masters):,} masters,"
        f" {len(evidence.charges):,} charges, {len(evidence.chains)} chains of seals",
        soft_wrap=True,
    )
    console.print(f"check it with: python3 -I -S {VERIFIER} {target}", soft_wrap=True)
