"""`hourstream`: every command a person types (DESIGN §7); each is in a module beside this one."""

import importlib
import logging
import os

import click

from cli.signals import stop_on_signals
from common.private import UMASK

# Loaded when called, so that `hourstream worker` does not pay for what only `trace` needs.
COMMANDS = {
    "up": "stack",
    "status": "status",
    "worker": "worker",
    "topics": "topics",
    "schemas": "schemas",
    "acls": "acls",
    "seal": "seal",
    "verify": "seal",
    "demo": "demo",
    "run": "run",
    "diff": "diff",
    "shadow": "shadow",
    "trace": "trace",
    "sources": "sources",
    "ingest": "ingest",
    "watch": "watch",
    "receive": "receive",
    "exceptions": "exceptions",
    "deliveries": "deliveries",
    "audit": "audit",
    "reconcile": "reconcile",
    "parity": "parity",
    "revenue": "revenue",
    "invoice": "invoice",
    "metrics": "metrics",
    "rules": "rules",
    "backup": "backup",
    "restore": "backup",
    "console": "console",
    "tokens": "tokens",
    "people": "people",
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
    """Commands by name, each in a module of its own."""

    def invoke(self, ctx: click.Context) -> object:
        """Whatever a command meets that a person can do something about is one message and exit status 1."""
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
        """A command that supervises is refused on a taken home before its libraries load, so at once."""
        if args and args[0] in SUPERVISING and not {"-h", "--help"} & set(args):
            _refuse_taken(args[0])
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"cli.{module}"), cmd_name)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--log-level", default="WARNING", show_default=True, help="Of Hourstream's own log, on standard error.")
def main(log_level: str) -> None:
    """Approved hours in, billing-ready charges out: right, fast and provably.

    Settings come from HOURSTREAM_* environment variables; without any, an embedded Kafka and PostgreSQL are used.
    """
    os.umask(UMASK)  # whatever any command writes is its owner's alone
    stop_on_signals()
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")


if __name__ == "__main__":
    main()
