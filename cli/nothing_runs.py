"""Commands that only read start nothing: on a home where nothing runs they say so at once.

This module is imported before any command, so it imports next to nothing.
"""

from collections.abc import Sequence

import click

READING: dict[str, frozenset[str]] = {
    "audit": frozenset(),
    "dead-letters": frozenset({"list", "show"}),
    "deliveries": frozenset({"list"}),
    "exceptions": frozenset({"list", "show", "codes"}),
    "explain": frozenset(),
    "invoice": frozenset({"list", "render"}),
    "ledger": frozenset(),
    "parity": frozenset(),
    "people": frozenset({"list", "show"}),
    "periods": frozenset({"list"}),
    "prove": frozenset(),
    "proposals": frozenset({"list", "show"}),
    "reconcile": frozenset(),
    "shadow": frozenset(),
    "tokens": frozenset({"list"}),
    "trace": frozenset(),
    "verify": frozenset(),
}
"""The commands that only read; of a group, those of its commands that do."""


def only_reads(arguments: Sequence[str]) -> bool:
    """Whether the arguments name a command that only reads, and do not ask for help."""
    if not arguments or {"-h", "--help"} & set(arguments) or arguments[0] not in READING:
        return False
    commands = READING[arguments[0]]
    return not commands or (len(arguments) > 1 and arguments[1] in commands)


def refuse_nothing_running() -> None:
    """End with a message and exit status 3 where this home has no stack to read, and the settings name none."""
    from common.exit_codes import EXIT_NOTHING_RUNS
    from devstack.home import is_taken
    from settings import Settings, SettingsError

    try:
        settings = Settings.load()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if (settings.broker is not None and settings.postgres_url is not None) or is_taken(settings.home):
        return
    there = "" if (settings.home / "kafka").exists() or settings.broker else ", and it holds no data of ours"
    refusal = click.ClickException(
        f"nothing runs here: `hourstream up` (home {settings.home}{there}; HOURSTREAM_HOME names another)"
    )
    refusal.exit_code = EXIT_NOTHING_RUNS
    raise refusal
