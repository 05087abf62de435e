"""The rules in code, read without running it: public functions, what their docstrings say, the codes they can give.

In `rating/` every public function is a rule. Elsewhere those are that name a section of the law, and modules whose
docstring does. A function gives the codes that stand in it and in the private functions of its module that it calls.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.rules_reference.law import DESIGN, cited

RATING = "rating"
OPERATIONS = ("cli", "common", "devstack", "operations", "settings", "streaming")
ROOMS = (
    RATING,
    "accounting",
    "invoicing",
    "assurance",
    "tables",
    "sources",
    "agents",
    "sinks",
    "topics",
    "cli",
    "operations",
    "streaming",
    "schemas",
    "common",
)
_GIVERS = frozenset({"Rejection", "Problem"})  # calls whose first argument is a code
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Constants = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DocumentedRule:
    """A function, or a module where `function` is empty; `words` are the texts in it, codes and reasons among them."""

    file: str
    function: str
    says: str
    sections: tuple[str, ...]
    words: frozenset[str]


class SourceTree:
    """The rooms as they are written, read once."""

    def __init__(self, checkout: Path) -> None:
        files = [file for room in ROOMS for file in sorted((checkout / room).rglob("*.py"))]
        self._trees = {
            file.relative_to(checkout).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in files
        }
        self._constants = {_module(file): dict(_constants(tree)) for file, tree in self._trees.items()}
        self._words = {file: _words([tree], {}) for file, tree in self._trees.items()}

    def rules(self) -> list[DocumentedRule]:
        """Every rule of every room, by file and then as they stand in it."""
        return [rule for file, tree in self._trees.items() for rule in _rules(file, tree, self._constants)]

    def given(self) -> dict[str, set[str]]:
        """{code: files} of everything that is handed to what makes an exception, wherever in the rooms."""
        found: dict[str, set[str]] = {}
        for file, tree in self._trees.items():
            own = self._constants[_module(file)]
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and (code := _given(node, own)) is not None:
                    found.setdefault(code, set()).add(file)
        return found

    def files_with(self, word: str) -> list[str]:
        """The files in which a text is written, but for commands and this reference itself."""
        return [file for file, words in self._words.items() if word in words and not file.startswith(OPERATIONS)]

    def deciding(self, attribute: str, values: Iterable[str]) -> list[str]:
        """Files of rating/ that look at an attribute and have one of its values written in them."""
        wanted = frozenset(values)
        return [
            file
            for file, tree in self._trees.items()
            if file.startswith(f"{RATING}/") and wanted & self._words[file] and _looks_at(tree, attribute)
        ]

    def kinds_of_charges(self) -> list[str]:
        """The prefixes of subjects: `time`, `expense` and so on."""
        for node in self._trees[f"{RATING}/model/facts.py"].body:
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_SUBJECT_PREFIXES":
                words = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                return [str(word).rstrip(":") for word in words if str(word).endswith(":")]
        raise LookupError(
            "rating/model/facts.py has no _SUBJECT_PREFIXES any more: where are the kinds of charges now?"
        )


def _looks_at(tree: ast.Module, attribute: str) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == attribute for node in ast.walk(tree))


def _given(call: ast.Call, constants: _Constants) -> str | None:
    """The code that a call makes an exception of: its first argument, or the one called `code`."""
    if ast.unparse(call.func) in _GIVERS and call.args:
        return _word(call.args[0], constants)
    named = [each.value for each in call.keywords if each.arg == "code"]
    return _word(named[0], constants) if named and ast.unparse(call.func) == "Parked" else None


def _module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                for name, value in zip(names, values, strict=False):
                    if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                        yield name.id, value.value


def _rules(file: str, tree: ast.Module, constants: Mapping[str, _Constants]) -> Iterator[DocumentedRule]:
    own = dict(constants[_module(file)])
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            known = constants.get(node.module or "", {})
            own |= {alias.asname or alias.name: known[alias.name] for alias in node.names if alias.name in known}
    functions = {node.name: node for node in tree.body if isinstance(node, _Function)}
    opening = ast.get_docstring(tree) or ""
    of_module = _own(file, cited(opening))
    for node in functions.values():
        docstring = ast.get_docstring(node) or ""
        sections = _own(file, cited(docstring))
        if node.name.startswith("_") or not (sections or file.startswith(f"{RATING}/")):
            continue
        words = _words(_reached(node, functions), own)
        yield DocumentedRule(file, node.name, _first(docstring), sections or of_module, words)
    if of_module and not file.startswith(f"{RATING}/"):
        yield DocumentedRule(file, "", _first(opening), of_module, _words([tree], own))


def _own(file: str, sections: tuple[str, ...]) -> tuple[str, ...]:
    """Outside of `rating/` what follows the design alone is no rule."""
    return sections if file.startswith(f"{RATING}/") else tuple(each for each in sections if DESIGN not in each)


def _reached(node: _Function, functions: Mapping[str, _Function]) -> Iterator[_Function]:
    """The function, and the private ones of its module that it names, or those name."""
    seen, left = {node.name}, [node]
    while left:
        current = left.pop()
        yield current
        for each in ast.walk(current):
            if isinstance(each, ast.Name) and each.id.startswith("_") and each.id in functions and each.id not in seen:
                seen.add(each.id)
                left.append(functions[each.id])


def _words(trees: Iterable[ast.AST], constants: _Constants) -> frozenset[str]:
    found = (_word(node, constants) for tree in trees for node in ast.walk(tree))
    return frozenset(word for word in found if word is not None)


def _word(node: ast.AST, constants: _Constants) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id) if isinstance(node, ast.Name) else None


def _first(docstring: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(docstring.split("\n\n")[0].split())
