"""Shows progress and results: progress bars on standard error, and pictures of tables."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.terminal_theme import DIMMED_MONOKAI

from cli.context import errors
from cli.plain_console import PlainConsole
from devstack.supervisor import Workers
from operations.quiescence import Ends, lag


@contextlib.contextmanager
def progress_bars(workers: Workers) -> Iterator[Callable[[Ends], None]]:
    """Yields what `wait_until_quiet` calls: records read of those there are, stage by stage."""
    columns = (
        SpinnerColumn(), TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=errors, transient=True) as progress:
        tasks = {name: progress.add_task(name, total=None) for name in workers.names}

        def show(ends: Ends) -> None:
            for name, task in tasks.items():
                done, total = lag(workers, name, ends)
                progress.update(task, completed=done, total=total or None)

        yield show


# Rich's own template, without the fonts it would fetch from elsewhere.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; white-space: pre; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
<rect fill="#0c1021" x="0" y="0" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def save_picture(path: Path, title: str, *content: RenderableType) -> None:
    """Save a terminal's output as an SVG file."""
    recorder = PlainConsole(record=True, width=112, file=io.StringIO(), force_terminal=True)
    recorder.print(*content, sep="\n")
    recorder.save_svg(str(path), title=title, theme=DIMMED_MONOKAI, code_format=_SVG)
