"""`hourstream`: all commands (DESIGN §7), each in a module of its own beside this one."""

import importlib
import logging
import os
from importlib.metadata import version
from typing import NamedTuple

import click

from cli.nothing_runs import only_reads, refuse_nothing_running
from cli.signals import stop_on_signals
from common.private import UMASK


class Listed(NamedTuple):
    """A command as `--help` lists it: its module (of `cli`, or its full path), and its summary."""

    module: str
    summary: str

    @property
    def path(self) -> str:
        """The module to import."""
        return self.module if "." in self.module else f"cli.{self.module}"


# A module is imported when its command runs: `hourstream --help` and `hourstream worker` load nothing else.
COMMANDS = {
    "up": Listed("stack", "Start Kafka, PostgreSQL and every worker, and keep them running."),
    "status": Listed("status", "Show what runs, what restarted and why, lag and ports."),
    "worker": Listed("worker", "Run one worker process."),
    "run": Listed("run", "Settle the facts of a folder and write the ledger."),
    "demo": Listed("examples.demo", "Bill ten months of a real time tracker."),
    "init": Listed("init", "Write a workbook with a sample firm, for your own data."),
    "check": Listed("check", "Check a firm's data, and say what it would bill."),
    "publish": Listed("publish", "Publish what a firm's data changes; or propose it, or export it."),
    "proposals": Listed("proposals", "List, show, approve and reject proposed changes of masters."),
    "ingest": Listed("ingest", "Publish an exported file to its source's topics."),
    "watch": Listed("watch", "Ingest every file that appears in a folder."),
    "receive": Listed("receive", "Receive the webhooks of a source."),
    "sources": Listed("sources", "List the sources; check what one makes of a file."),
    "exceptions": Listed("exceptions", "List what is on hold; waive, retry, map codes."),
    "dead-letters": Listed("dead_letters", "List, show and republish records that no agent could use."),
    "rules": Listed("rules", "Explain an exception code: its rule, its owner, its remedy."),
    "trace": Listed("trace", "Trace a subject from its source record to its payment."),
    "explain": Listed("explain", "Explain a charge: each rule, its inputs, what would change it."),
    "invoice": Listed("invoice", "Issue invoices and credit notes; record what is paid."),
    "revenue": Listed("revenue", "Recognise revenue: close a month, show balances."),
    "deliveries": Listed("deliveries", "List and replay charges on their way to other systems."),
    "parity": Listed("parity", "Compare two journals by charge."),
    "audit": Listed("audit", "Read everything again and check the always-true statements."),
    "reconcile": Listed("reconcile", "Compare what sources sent with hours, charges, invoices and journal."),
    "prove": Listed("prove", "Write a bundle with which anyone can check an invoice."),
    "seal": Listed("seal", "Seal charges and what people did since the last seal."),
    "verify": Listed("seal", "Verify the seals and name every altered record."),
    "ledger": Listed("ledger", "Write the ledger as it was known at a moment; compare two."),
    "periods": Listed("periods", "List, close and open accounting periods."),
    "diff": Listed("diff", "Compare the ledgers of two runs by client and engagement."),
    "shadow": Listed("shadow", "Show what this version's rules change of what is published."),
    "people": Listed("people", "List, show and erase personal data; change its key."),
    "console": Listed("console", "Serve the web console and the API."),
    "console-role": Listed("console_role", "Let a database role serve the console and own nothing."),
    "tokens": Listed("tokens", "Create, list and revoke API tokens."),
    "metrics": Listed("metrics", "List every metric."),
    "topics": Listed("topics", "List the topics, their owners and their retention."),
    "schemas": Listed("schemas", "Check the contracts against what is released."),
    "acls": Listed("acls", "Print the Kafka rights that each process needs."),
    "backup": Listed("backup", "Write the data of the stopped stack to a file."),
    "restore": Listed("backup", "Restore a backup into an empty home."),
}


SUPERVISING = ("up", "run", "demo")  # each holds its home


def _refuse_taken(command: str) -> None:
    from devstack.home import HomeTaken, home_of, refuse_taken
    from settings import Settings, SettingsError

    try:
        home = home_of(command, Settings.load())
        if home is not None:
            refuse_taken(home)
    except (SettingsError, HomeTaken) as error:
        raise click.ClickException(str(error)) from None


class Commands(click.Group):
    """Commands by name, each imported when it is needed."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error that a person can repair is one message and exit status 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):  # click's own ways out
            raise
        except Exception as error:
            from cli.context import explained

            told = explained(error)
            if told is None:
                raise
            raise told from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse at once, before libraries load, what cannot run: a second supervisor, a reader of nothing."""
        if args and args[0] in SUPERVISING and not {"-h", "--help"} & set(args):
            _refuse_taken(args[0])
        if only_reads(args):
            refuse_nothing_running()
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        listed = COMMANDS.get(cmd_name)
        if listed is None:
            return None
        command: click.Command = getattr(importlib.import_module(listed.path), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.summary) for name, listed in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("hourstream"), message="%(prog)s %(version)s")
@click.option("--log-level", default="WARNING", show_default=True, help="Level of the log on standard error.")
def main(log_level: str) -> None:
    """Approved hours in, billing-ready charges out: right, fast and provably.

    Settings come from HOURSTREAM_* environment variables; without any, an embedded Kafka and PostgreSQL are used.
    """
    os.umask(UMASK)  # whatever any command writes is its owner's alone
    stop_on_signals()
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")


if __name__ == "__main__":
    main()
