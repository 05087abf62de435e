"""`hourstream`: every command a person types (DESIGN §7); each is in a module beside this one."""

import importlib
import logging

import click

# Loaded when called, so that `hourstream worker` does not pay for what only `trace` needs.
COMMANDS = {
    "up": "stack",
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


class Commands(click.Group):
    """Commands by name, each in a module of its own."""

    def invoke(self, ctx: click.Context) -> object:
        """Whatever a command meets that a person can do something about is one message and exit status 1."""
        from cli.context import complain

        with complain():
            return super().invoke(ctx)

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
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")


if __name__ == "__main__":
    main()
