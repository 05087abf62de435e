"""`hourstream watch DIR`: ingests files that appear in a folder, each once, and moves them away.

A file is claimed by renaming it into `taking/`, published whole or not at all, and renamed into `taken/`, or into
`refused/` with the reason beside it. A process that is killed in between leaves it in `taking/`. The next one finds it
there and looks up its contents in `files.taken` to see whether it was published.
"""

import contextlib
import hashlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click

from cli.context import attached, console
from common.fault_injection import fault_point
from operations.all_topics import every_topic
from operations.file_ingest import FilePublisher
from privacy.open_vault import open_to_publish
from settings import Settings
from sources.files.parse import take
from sources.mapping import catalogue
from sources.mapping.ast import SourceMapping
from sources.mapping.errors import NotRecognised
from streaming.admin import admin_client
from topics.create import create_topics

_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")  # how programs call a file they are still writing


class Watcher:
    """One folder. `look` is one pass over it."""

    def __init__(self, folder: Path, mapping: SourceMapping, publisher: FilePublisher, steady_seconds: float) -> None:
        self._folder, self._mapping, self._publisher = folder, mapping, publisher
        self._steady_seconds = steady_seconds
        self._sizes: dict[str, tuple[int, int]] = {}
        for name in ("taking", "taken", "refused"):
            (folder / name).mkdir(exist_ok=True)

    def look(self) -> int:
        """Ingest a predecessor's files and every file at rest; returns their number."""
        count = 0
        for path in [*self._files(self._folder / "taking"), *self._claimed()]:
            self._finish(path)
            count += 1
        return count

    def _files(self, folder: Path) -> list[Path]:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())

    def _claimed(self) -> list[Path]:
        found = []
        for path in self._files(self._folder):
            if path.name.startswith((".", "~$")) or path.suffix in _UNFINISHED or not self._is_steady(path):
                continue
            claimed = self._folder / "taking" / path.name
            if not claimed.exists():
                path.rename(claimed)
                fault_point("watch:claimed")
                found.append(claimed)
        return found

    def _is_steady(self, path: Path) -> bool:
        """Whether the file is at rest: unchanged since the last pass, and not written just now."""
        stat = path.stat()
        seen = (stat.st_size, stat.st_mtime_ns)
        before, self._sizes[path.name] = self._sizes.get(path.name), seen
        return before == seen and time.time() - stat.st_mtime >= self._steady_seconds

    def _finish(self, path: Path) -> None:
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        self._sizes.pop(path.name, None)
        before = self._publisher.taken(sha256)
        if before is None:
            try:
                taken = take(self._mapping, path.name, data)
            except NotRecognised as refusal:
                self._refuse(path, sha256, str(refusal))
                return
            self._publisher.publish(taken, "watch")
            fault_point("watch:published")
            said = f"{len(taken.records):,} records published, {len(taken.bad):,} bad rows to dead.letters"
        else:
            said = f"its contents were taken before, as {before['name']} at {before['taken_at']}"
        path.replace(self._folder / "taken" / f"{sha256[:12]}-{path.name}")
        console.print(f"{path.name}: {said}", soft_wrap=True)

    def _refuse(self, path: Path, sha256: str, why: str) -> None:
        aside = self._folder / "refused" / f"{sha256[:12]}-{path.name}"
        aside.with_name(f"{aside.name}.why").write_text(f"{why}\n", encoding="utf-8")
        path.replace(aside)
        console.print(f"{path.name}: refused: {why}", soft_wrap=True)


@contextlib.contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Set by Ctrl-C or SIGTERM, so that a file under way is finished first."""
    told = threading.Event()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--source", required=True, help="Which source its files are of: `hourstream sources list`.")
@click.option("--seconds", default=2.0, show_default=True, help="How often to look; how long a file must be at rest.")
@click.option("--once", is_flag=True, help="Ingest the present files and end.")
def watch(folder: Path, source: str, seconds: float, once: bool) -> None:
    """Ingest every file that appears in DIR, once, and move it to DIR/taken, until stopped."""
    mapping, settings = catalogue.load(source), Settings.load()
    name = f"watch-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"
    with attached(settings) as stack, open_to_publish(settings, stack.postgres_url) as vault, told_to_stop() as stop:
        create_topics(admin_client(stack.broker), every_topic(settings.partitions), settings.replication)
        watcher = Watcher(folder, mapping, FilePublisher(stack.broker, source, name, vault), seconds)
        console.print(f"watching {folder} for files of {source}", soft_wrap=True)
        watcher.look()
        while not (stop.wait(seconds) or once):
            watcher.look()
        if once:
            watcher.look()  # a file at rest is recognised at the second pass
