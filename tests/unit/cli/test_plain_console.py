"""What the command line prints of data is text: nothing in it is markup, an emoji or an order to the terminal."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from cli.plain_console import PlainConsole, styled

HOSTILE = ["[/x]", "[bold]x[/bold]", "[link=https://example.com]x[/link]", ":warning:", "[", "\\[/", "[[/]]"]


def shown(*content: object) -> str:
    """What is printed, without the terminal's own codes."""
    screen = PlainConsole(file=io.StringIO(), width=200, highlight=False)
    screen.print(*content)
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_printed_as_it_is(text: str) -> None:
    assert shown(text) == f"{text}\n"
    assert shown(styled(text, "red")) == f"{text}\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_a_heading_and_a_title_are_printed_as_they_are(text: str) -> None:
    table = Table(text, title=text)
    table.add_row(text)
    assert shown(table).count(text) == 3


def test_a_table_cuts_no_identifier_in_a_file_or_on_a_narrow_terminal() -> None:
    table = Table("id", "reason")
    table.add_row("i" * 150, "r" * 100)
    table.add_row("-".join(["engagement"] * 15), "")
    assert "i" * 150 in shown(table)
    narrow = PlainConsole(file=io.StringIO(), width=60, highlight=False, force_terminal=True, color_system=None)
    narrow.print(table)
    told = narrow.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in told
    assert told.count("i") == 150 + 1


def test_control_characters_and_halves_of_surrogates_are_written_out() -> None:
    assert shown("a\x1b[31mb\x00\x07\u009b\ud800") == "a\\x1b[31mb\\x00\\x07\\x9b\\ud800\n"
    assert shown(styled("a\x1b[31mb", "bold")) == "a\\x1b[31mb\n"


def test_a_file_whose_name_and_rows_look_like_markup_can_be_checked(tmp_path: Path) -> None:
    export = tmp_path / "[bold].csv"
    export.write_text("Project,[/x]\nA,[/y]\n", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("hourstream")), "sources", "check", str(export), "--source", "toggl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "MarkupError" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_text_that_no_screen_can_take_is_cut() -> None:
    table = Table("x")
    table.add_row("y" * 600_000)
    assert "(600,000 characters)" in shown(table).replace("│", "").replace("\n", " ")
    assert len(shown(styled("y" * 600_000, "red"))) < 5_000
