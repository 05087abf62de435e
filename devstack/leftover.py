"""Processes that a killed run left behind: recognises them by pid, start time and command line, and ends them."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from pathlib import Path

import psutil

from devstack.errors import StackError

# The kernel counts a start time in hundredths since boot and boot time is itself rounded.
_SAME_START_SECONDS = 2.0


def recorded_process(pid_file: Path) -> psutil.Process | None:
    """The running process that a pid file speaks of; None where it ended, or its pid is another program's now."""
    try:
        record = json.loads(pid_file.read_text(encoding="utf-8"))
        process = psutil.Process(int(record["pid"]))
        same_command = any(str(record["mark"]) in argument for argument in process.cmdline())
        return process if same_command and is_same_start(process, float(record["started"])) else None
    except (OSError, psutil.Error):
        return None
    except (ValueError, KeyError, TypeError):  # not written by us
        return None


def is_same_start(process: psutil.Process, started: float) -> bool:
    """Whether the process is the one that began at that time. Raises psutil.NoSuchProcess."""
    return abs(process.create_time() - started) < _SAME_START_SECONDS


def end_orphans(folder: Path, seconds: float) -> list[str]:
    """End every process whose pid file in `folder` a killed run left, all at a time; gives their names."""
    found = {file: process for file in sorted(folder.glob("*.pid")) if (process := recorded_process(file))}
    for process in found.values():
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for file, process in found.items():
        if not _gone(process, max(deadline - time.monotonic(), 0.1)):
            end_process(file.stem, process, signal.SIGKILL, seconds)
    for file in folder.glob("*.pid"):
        with contextlib.suppress(OSError):
            file.unlink()
    return [file.stem for file in found]


def end_process(name: str, process: psutil.Process, by: signal.Signals, seconds: float) -> None:
    try:
        process.send_signal(by)
        if not _gone(process, seconds):
            process.kill()
            _gone(process, seconds)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied:
        raise StackError(
            f"{name} of an earlier run still runs as process {process.pid} of another user: stop it first"
        ) from None


def _gone(process: psutil.Process, seconds: float) -> bool:
    """Wait for a process that is no child of ours; an uncollected zombie (a container without init) counts as ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
