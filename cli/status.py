"""`hourstream status`: shows this home's processes, their starts and their restarts with reasons. Starts nothing."""

import json
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import click
import psutil
from rich.console import Console
from rich.table import Table

from common.exit_codes import EXIT_NOTHING_RUNS, EXIT_PART_DOWN
from devstack.home import HomeTaken, refuse_taken
from devstack.leftover import is_same_start
from devstack.record import ProcessRecord
from settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def status(as_json: bool) -> None:
    """Tell what `hourstream up`, `run` or `demo` keeps running on HOURSTREAM_HOME, and how far it is.

    For each process: pid, since when, port, restarts with the last exit code and log line. Then the lag of every
    consumer group, and whether PostgreSQL answers. Exit status: 0 all runs, 3 nothing runs here, 4 a process is down
    or a server does not answer.
    """
    settings = Settings.load()
    found = supervised(settings.home)
    if found is None:
        _tell_why_not(settings.home, as_json)
    told = {"running": True, **found, **_folders(settings.home), **_servers(settings)}
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        _show(told)
    whole = all(each["running"] for each in found["processes"].values()) and "error" not in told["kafka"]
    if not whole or not told["postgres"]["answers"]:
        raise click.exceptions.Exit(EXIT_PART_DOWN)


def _tell_why_not(home: Path, as_json: bool) -> NoReturn:
    """Nothing runs, or what holds the home is not up yet, or is on its way down."""
    why, code = "nothing runs here: `hourstream up`", EXIT_NOTHING_RUNS
    try:
        refuse_taken(home)
    except HomeTaken as taken:
        why, code = f"process {taken.holder} is starting or stopping here", EXIT_PART_DOWN
    click.echo(json.dumps({"running": False, "home": str(home), "why": why}) if as_json else why)
    raise click.exceptions.Exit(code)


def supervised(home: Path) -> dict[str, Any] | None:
    """The supervisor that runs on `home` and its processes, each with `running`; None where none runs."""
    try:
        found: dict[str, Any] = json.loads(ProcessRecord.file_of(home).read_text(encoding="utf-8"))
        if not _runs(found["supervisor"]):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for entry in found["processes"].values():
        entry["running"] = _runs(entry)
    return found


def _runs(entry: dict[str, Any]) -> bool:
    if entry["pid"] is None or entry["started"] is None:
        return False
    try:
        process = psutil.Process(entry["pid"])
        return is_same_start(process, entry["started"]) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _folders(home: Path) -> dict[str, Any]:
    places = {name: home / name for name in ("kafka", "postgres", "state", "logs")}
    return {"home": str(home), "folders": {name: str(path) for name, path in places.items() if path.exists()}}


def _servers(settings: Settings) -> dict[str, Any]:
    from cli.server_status import kafka_status, postgres_status  # clients load only where something runs
    from devstack.errors import StackError
    from devstack.stack import Stack

    try:
        stack = Stack.joined(settings)
        broker, url = stack.broker, stack.postgres_url
    except (StackError, OSError) as error:
        return {"kafka": {"error": str(error)}, "postgres": {"answers": False, "error": str(error)}}
    return {
        "kafka": {"broker": broker, **kafka_status(broker)},
        "postgres": {**postgres_status(url), "at": _without_password(url)},
    }


def _without_password(url: str) -> str:
    """Host, port and database of an address."""
    parts = urlsplit(url)
    socket = dict(parse_qsl(parts.query)).get("host")
    return f"{parts.hostname or socket or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _show(told: dict[str, Any]) -> None:
    screen = Console(highlight=False, width=None if click.get_text_stream("stdout").isatty() else 140)
    supervisor = told["supervisor"]
    screen.print(f"hourstream {supervisor['command']}, pid {supervisor['pid']}, since {supervisor['since']}")
    screen.print(f"home {told['home']}: {', '.join(told['folders'])}", soft_wrap=True, markup=False)
    table = Table("process", "pid", "since", "port", "restarts", "last ended", "why")
    for name, entry in told["processes"].items():
        last = entry["endings"][-1] if entry["endings"] else {"at": "", "what": "", "last_line": ""}
        why = f"{last['what']}: {last['last_line']}" if last["what"] else ""
        table.add_row(
            name,
            str(entry["pid"]) if entry["running"] else "[red]down[/]",
            entry["since"] or "",
            str(entry["port"] or ""),
            str(entry["restarts"]),
            last["at"],
            why.replace("[", r"\["),
        )
    screen.print(table)
    kafka, postgres = told["kafka"], told["postgres"]
    if "error" in kafka:
        screen.print(f"Kafka does not answer: {kafka['error']}", markup=False, soft_wrap=True)
    else:
        lags = Table("consumer group", "state", "lag")
        for group, figures in kafka["groups"].items():
            lags.add_row(group, figures["state"], "not known" if figures["lag"] is None else f"{figures['lag']:,}")
        screen.print(f"Kafka at {kafka['broker']}", markup=False)
        screen.print(lags)
    place = f" at {postgres['at']}" if postgres.get("at") else ""
    said = f"answers, {postgres['version']}" if postgres["answers"] else f"does not answer: {postgres['error']}"
    screen.print(f"PostgreSQL{place} {said}", markup=False, soft_wrap=True)
