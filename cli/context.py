"""What every command shares: the console, the stack it works on, and how an error is told."""

import contextlib
import json
import sys
from collections.abc import Iterator

import click
import confluent_kafka
import psycopg
from rich.console import Console

from common.errors import SinkError
from devstack.errors import StackError
from devstack.stack import Stack
from settings import Settings, SettingsError
from sources.mapping.errors import MappingError, NotRecognised
from streaming.process import UnequalPartitions

_PIPED = None if sys.stdout.isatty() else 140  # a file or a pipe has no width of its own
console = Console(highlight=False, width=_PIPED)
errors = Console(stderr=True, highlight=False)

_EXPLAINED = (
    StackError,
    SettingsError,
    UnequalPartitions,
    MappingError,
    NotRecognised,
    SinkError,
    OSError,
    RuntimeError,
)


@contextlib.contextmanager
def complain() -> Iterator[None]:
    """Turn what a person can do something about into one message and exit status 1."""
    try:
        yield
    except (click.exceptions.Exit, click.Abort):  # click's own way out, RuntimeErrors both
        raise
    except _EXPLAINED as error:
        raise click.ClickException(str(error)) from error
    except confluent_kafka.KafkaException as error:
        raise click.ClickException(f"Kafka: {error.args[0]}; is the broker of HOURSTREAM_BROKER up?") from error
    except psycopg.Error as error:
        raise click.ClickException(f"PostgreSQL: {error}") from error


def attached(settings: Settings) -> Stack:
    """The stack a command works on: the one that runs on this home, the settings' own, or one started for it.

    Use as a context manager; only what was started here is stopped at its end.
    """
    return Stack.start(settings, join=True, progress=lambda line: errors.print(f"[dim]{line}[/]"))


def print_json(value: object) -> None:
    """For scripts: one JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, default=str, ensure_ascii=False)
    sys.stdout.write("\n")
