"""A console that prints data as plain text: no markup, no emoji codes, no terminal control characters.

Styles are given beside the text (`styled`), never inside it.
"""

import re
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# All control characters but line feed and tab: a terminal would obey them.
_WIDEST = 600  # characters of a line of a table in a file; what is longer goes on in the next line
_MOST_SHOWN = 4_000  # characters of a text; a record of another system may hold more than a screen can show
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def shortened(text: str, most: int = _MOST_SHOWN) -> str:
    """A text of more than `most` characters, cut, with its length; any other as it is."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def plain(text: str) -> str:
    """The text with control characters and halves of surrogate pairs written out."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def styled(text: object, style: str) -> Text:
    """A text in a style of Rich, such as "bold" or "red"."""
    return Text(plain(shortened(str(text))), style=style)


def verdict(holds: bool, yes: str, no: str) -> Text:
    """`yes` in green where something holds, `no` in red where it does not."""
    return styled(yes, "green") if holds else styled(no, "red")


class PlainConsole(Console):
    """Rich's console; strings that it is given, also as cells of a table, are shown as they are.

    A table cuts nothing: a cell that does not fit a terminal goes on in the next line; in a file or a pipe, which has
    no width of its own, a table is as wide as it needs, up to 600 characters.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as in the base class
        super().__init__(markup=False, emoji=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - as in the base class
        """As in the base class."""
        tables = [each for each in objects if isinstance(each, Table)]
        for table in tables:
            for column in table.columns:
                column.overflow = "fold"
        if not tables or self.is_terminal:
            super().print(*objects, **options)
            return
        before, widest = self.width, self.options.update(max_width=_WIDEST)
        self.width = max(before, *(self.measure(each, options=widest).maximum for each in tables))
        try:
            super().print(*objects, **options)
        finally:
            self.width = before

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - as in the base class
        """As in the base class, of a text without control characters, and not longer than a screen can take."""
        return super().render_str(plain(shortened(text)), **options)
