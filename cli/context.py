"""Shared by all commands: the console, the stack, and error messages."""

import contextlib
import json
import sys
from collections.abc import Iterator

import click
import confluent_kafka
import psycopg

from cli.plain_console import PlainConsole, styled
from common.errors import InvalidRecord, SinkError
from devstack.errors import StackError
from devstack.home import using_home, wait_for_users
from devstack.record import ProcessRecord
from devstack.stack import Stack
from settings import Settings, SettingsError
from sources.mapping.errors import MappingError, NotRecognised

_PIPED = None if sys.stdout.isatty() else 140  # a file or a pipe has no width of its own
console = PlainConsole(highlight=False, width=_PIPED)
errors = PlainConsole(stderr=True, highlight=False)

_LAST_USER_SECONDS = 600.0
_EXPLAINED = (
    StackError,
    SettingsError,
    MappingError,
    NotRecognised,
    SinkError,
    InvalidRecord,
    OSError,
    RuntimeError,
)


def explained(error: Exception) -> click.ClickException | None:
    """One message and exit status 1 for an error that a person can repair; None for all others."""
    if isinstance(error, _EXPLAINED):
        return click.ClickException(str(error))
    if isinstance(error, confluent_kafka.KafkaException):
        return click.ClickException(f"Kafka: {error.args[0]}; is the broker of HOURSTREAM_BROKER up?")
    if isinstance(error, psycopg.Error):
        return click.ClickException(f"PostgreSQL: {error}")
    return None


@contextlib.contextmanager
def attached(settings: Settings) -> Iterator[Stack]:
    """The stack of a command: the one that runs on this home, the settings' own, or one started for it.

    Only a stack that was started here is kept running. It is stopped at the end, once no other command uses it.
    """
    with supervised(settings) as (stack, _):
        yield stack


@contextlib.contextmanager
def supervised(settings: Settings) -> Iterator[tuple[Stack, ProcessRecord | None]]:
    """The same with the record of its processes; None where another process supervises them."""
    with Stack.start(settings, join=True, progress=lambda line: errors.print(styled(line, "dim"))) as stack:
        if not stack.holds_home:
            with using_home(settings.home) if settings.home.is_dir() else contextlib.nullcontext():
                yield stack, None
            return
        context = click.get_current_context(silent=True)
        with stack.kept("" if context is None else str(context.info_name)) as record:
            yield stack, record
            let_others_finish(settings)


def let_others_finish(settings: Settings) -> None:
    """Wait for commands that joined the stack of this one, before it stops."""
    if not wait_for_users(settings.home, _LAST_USER_SECONDS):
        errors.print(styled("another command still uses this stack; it is stopped all the same", "dim"))


def print_json(value: object) -> None:
    """For scripts: one JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, default=str, ensure_ascii=False)
    sys.stdout.write("\n")
