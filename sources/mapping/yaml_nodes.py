"""YAML as marked nodes: every value with its line, without guesses; unexpected content is refused.

Of YAML's implicit types only whole numbers, true, false and null are accepted. Dates stay text, `NO` is Norway,
decimals are written in quotes, anchors and repeated keys are refused.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import yaml

from sources.mapping.ast import Scalar
from sources.mapping.errors import MappingError

Word = TypeVar("Word", bound=str)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Node:
    """A YAML node, and the file and line to name when it is wrong: of a value, the line of its key."""

    file: str
    yaml: yaml.Node
    line: int

    def wrong(self, message: str) -> MappingError:
        """The error to raise about this node."""
        return MappingError(self.file, self.line, message)

    @property
    def is_record(self) -> bool:
        return isinstance(self.yaml, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.yaml, yaml.SequenceNode)

    def entries(self, what: str) -> dict[str, "Node"]:
        """The keys and values of a record; `what` names it in the error."""
        if not isinstance(self.yaml, yaml.MappingNode):
            raise self.wrong(f"{what} must be a record of `key: value` lines")
        found: dict[str, Node] = {}
        for key_node, value_node in self.yaml.value:
            key = _node(self.file, key_node)
            name = key.text(f"a key of {what}")
            if name in found:
                raise key.wrong(f"{what} has `{name}` twice; keep one of them")
            found[name] = Node(self.file, value_node, key.line)
        return found

    def record(self, what: str, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, "Node"]:
        """The entries of a record whose keys are known."""
        found, required = self.entries(what), tuple(required)
        known = (*required, *optional)
        for name, value in found.items():
            if name not in known:
                raise value.wrong(f"{what} has no `{name}`{nearest(name, known)}; it takes {', '.join(known)}")
        for name in required:
            if name not in found:
                raise self.wrong(f"{what} lacks `{name}`; add it")
        return found

    def items(self, what: str) -> list["Node"]:
        """The items of a list."""
        if not isinstance(self.yaml, yaml.SequenceNode):
            raise self.wrong(f"{what} must be a list")
        return [_node(self.file, item) for item in self.yaml.value]

    def scalar(self, what: str) -> Scalar:
        """Text, a whole number, true, false or null."""
        if not isinstance(self.yaml, yaml.ScalarNode):
            raise self.wrong(f"{what} must be a single value")
        written = str(self.yaml.value)
        match self.yaml.tag.rpartition(":")[2]:
            case "null":
                return None
            case "bool" if written.lower() in _TRUTH:
                return _TRUTH[written.lower()]
            case "int" if _WHOLE.fullmatch(written):
                return int(written)
            case "float":
                raise self.wrong(f'{what} is {written}: write decimals in quotes, "{written}"')
        return written

    def text(self, what: str) -> str:
        """Text that is not empty."""
        value = self.scalar(what)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"{what} must be text, not {value!r}")
        return value

    def texts(self, what: str) -> tuple[str, ...]:
        """One text, or a list of them."""
        return tuple(item.text(what) for item in self.items(what)) if self.is_list else (self.text(what),)

    def one_of(self, what: str, known: tuple[Word, ...]) -> Word:
        """One of a few allowed words."""
        written = self.text(what)
        for word in known:
            if word == written:
                return word
        raise self.wrong(f"{what} is {written!r}; write one of {', '.join(known)}")

    def whole(self, what: str) -> int:
        """A whole number, 0 or more."""
        value = self.scalar(what)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(f"{what} must be a whole number, 0 or more, not {value!r}")
        return value

    def flag(self, what: str) -> bool:
        """true or false."""
        value = self.scalar(what)
        if not isinstance(value, bool):
            raise self.wrong(f"{what} must be true or false, not {value!r}")
        return value


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)`, where something known is written much like `name`."""
    found = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean `{found[0]}`?)" if found else ""


def parsed(file: str, text: str) -> Node:
    """The root of a YAML text; MappingError with the line where it is none."""
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = 1 if event.start_mark is None else event.start_mark.line + 1
                raise MappingError(file, line, "YAML aliases are not in use here; write the value out")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark
        raise MappingError(file, 1 if mark is None else mark.line + 1, f"not YAML: {broken.problem}") from None
    except yaml.YAMLError as broken:
        raise MappingError(file, 1, f"not YAML: {broken}") from None
    if root is None:
        raise MappingError(file, 1, "the file is empty")
    return _node(file, root)


def _node(file: str, node: yaml.Node) -> Node:
    return Node(file, node, node.start_mark.line + 1)
