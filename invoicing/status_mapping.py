"""Maps the status words of billing systems to ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import yaml

from common.errors import SinkError
from invoicing.payment_status import Status

DEFAULT = Path(__file__).with_name("statuses.yaml")
IGNORED = "ignored"
_OURS: Mapping[str, Status] = {word: word for word in get_args(Status)}


class WordsWrong(SinkError):
    """The file of status words cannot be used; the message gives the reason."""


class UnknownWord(SinkError):
    """A system used an unmapped status word."""


@dataclass(frozen=True, slots=True)
class Words:
    """Our status per word of each system."""

    by_system: Mapping[str, Mapping[str, str]]

    def status(self, system: str, word: str) -> Status | None:
        """Our word; None for one that says nothing of an invoice. Raises UnknownWord."""
        ours = self.by_system.get(system, _OURS).get(word)
        if ours is None:
            raise UnknownWord(f"{system} has no word {word!r} in the file of billing statuses")
        return _OURS.get(ours)


def load_words(path: Path = DEFAULT) -> Words:
    """The status words in a file. Raises WordsWrong."""
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WordsWrong(f"{path}: {error}") from error
    if not isinstance(read, dict):
        raise WordsWrong(f"{path}: write `system: {{their word: our word}}`")
    for system, words in read.items():
        wrong = set(words.values()) - {*_OURS, IGNORED} if isinstance(words, dict) else {words}
        if wrong:
            known = ", ".join((*_OURS, IGNORED))
            raise WordsWrong(f"{path}: {system}: {', '.join(map(str, wrong))} is none of {known}")
    return Words(read)
