"""`hourstream invoice draft`, `approve` and `issue`: a run in three steps (DOMAIN.md §4.12)."""

from datetime import UTC, datetime
from pathlib import Path

import click

from cli.context import attached, console, print_json
from cli.invoice_documents import DATE, Documents, charge_ends, report_run, require_clients, write_documents
from cli.invoice_events import desk_of
from invoicing.holds import read_holds
from invoicing.party_lookup import names
from invoicing.stored_drafts import StoredDraft, approve_draft, draft_run, issue_draft, load_draft
from settings import Settings
from storage.migrations import migrate
from storage.postgres import open_pool


@click.command()
@click.option("--cut-off", type=DATE, required=True, help="Last day of work to invoice.")
@click.option("--issue-date", type=DATE, required=True, help="The date on the documents.")
@click.option("--client", "clients", multiple=True, metavar="ID", help="Only this client; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def draft(cut_off: datetime, issue_date: datetime, clients: tuple[str, ...], as_json: bool) -> None:
    """Store what a run would issue now, without numbers. The same charges give the same draft."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        known = names(stack.broker)
        require_clients(known, clients)
        made = draft_run(
            pool,
            cut_off=cut_off.date(),
            issue_date=issue_date.date(),
            end_offsets=charge_ends(stack.broker),
            at=datetime.now(UTC),
            names=known,
            holds=read_holds(stack.broker, issue_date.date()),
            clients=clients,
        )
    _report(made, as_json)


@click.command()
@click.argument("draft_id", metavar="DRAFT")
@click.option("--by", required=True, help="Who approves it.")
def approve(draft_id: str, by: str) -> None:
    """Approve a draft, so that it may be issued."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        approved = approve_draft(pool, draft_id, by=by, at=datetime.now(UTC))
    console.print(f"draft {draft_id} is approved by {by}: {len(approved.documents)} documents", markup=False)


@click.command("issue")
@click.argument("draft_id", metavar="DRAFT")
@click.option("--out", "out_dir", type=click.Path(file_okay=False, path_type=Path), help="Where UBL 2.1 files go.")
@click.option("--pdf", is_flag=True, help="Beside each file a PDF for people (Factur-X).")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def issue_(draft_id: str, out_dir: Path | None, pdf: bool, as_json: bool) -> None:
    """Issue an approved draft exactly as approved. Refused when its charges have changed; says what changed."""
    with attached(Settings.load()) as stack, open_pool(stack.postgres_url) as pool:
        migrate(pool)
        known = names(stack.broker)
        done = issue_draft(
            pool,
            draft_id,
            end_offsets=charge_ends(stack.broker),
            at=datetime.now(UTC),
            names=known,
            holds=read_holds(stack.broker, load_draft(pool, draft_id).issue_date),
        )
        desk_of(pool).apply_waiting()
        written = write_documents(pool, done, out_dir, known, pdf) if out_dir else Documents()
    report_run(done, written, as_json)


def _report(made: StoredDraft, as_json: bool) -> None:
    left = [f"{each.account.key}: {each.invalid}" for each in made.accounts if each.invalid]
    if as_json:
        documents = [
            {"key": each.account.key, "kind": each.invoice.kind, "payable": each.invoice.payable,
             "charges": len(each.charge_ids)}
            for each in made.accounts if each.invoice and each.invoice.kind != "nothing"
        ]  # fmt: skip
        print_json(
            {
                "draft": made.draft_id,
                "documents": documents,
                "left": left,
                "approved_by": made.approved_by,
                "clients": made.clients,
            }
        )
        return
    console.print(f"draft {made.draft_id}: {len(made.documents)} documents", markup=False)
    for each in made.accounts:
        if each.invoice and each.invoice.kind != "nothing":
            console.print(f"  {each.account.key}  {each.invoice.kind}  {each.invoice.payable}", markup=False)
    for reason in left:
        console.print(f"  not drafted: {reason}", markup=False)
