"""The law's sections, read from docs/DOMAIN.md, and what a docstring means that names some of them.

A section is named as docstrings name it: `§1`, `§2 rule 5`, `§2, Expenses`, `Conventions`, `Appendix A`. What is
numbered within a section belongs to it: §1.4 to §1, rule 8a to rule 8, E4 to Expenses. A rule that follows the design
instead (routing, completeness, revenue) names a section of docs/DESIGN.md: `DESIGN §5`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

WHOLE = "§2"  # of what decides by all of its rules
EXAMPLES = "§6"  # figures to test against, which tests hold
DESIGN = "DESIGN "
_HEADING = re.compile(r"^## (\d)\. (.+)$")
_RULE = re.compile(r"^(\d+)\. (.+)$")
_NAMED = re.compile(r"^### ([A-Z][a-z]+)$")
_APPENDIX = re.compile(r"^## Appendix ([A-Z]): (.+)$")
_CITED = re.compile(
    r"(DOMAIN|DESIGN)(?:\.md)?,? (?:§(\d+)(?:\.\d+)?(?: rules? (\d+[a-z]?(?:(?:, | and | to )\d+[a-z]?)*)"
    r"|, ((?:[A-Z](?:[a-z]+|\d))(?:(?:, | and )[A-Z](?:[a-z]+|\d))*))?|(Conventions)"
    r"|[Aa]ppendi(?:x|ces) ([A-Z](?: and [A-Z])*))"
)
# The letters of the numbered rules of §2's named sections: E4 is of Expenses.
_LETTERS = {name[0]: name for name in ("Expenses", "Milestones", "Outcomes", "Fees", "Adjustments", "Decisions")}


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the law: its name, a title of a few words, and its text."""

    name: str
    title: str
    text: str


def sections(domain: str) -> dict[str, Section]:
    """Every section by its name, in the law's order."""
    found: dict[str, Section] = {}
    for name, title, lines in _parts(domain.splitlines()):
        found[name] = Section(name, title, "\n".join(lines))
    return found


def _parts(lines: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    name, title, text, chapter = "Conventions", "Ids, days, money, rounding", list[str](), ""
    for line in lines:
        began = _begun(line, chapter)
        if began is not None:
            yield name, title, text
            (name, title), text = began, []
            if line.startswith("## "):
                chapter = name.removeprefix("§")
        text.append(line)
    yield name, title, text


def _begun(line: str, chapter: str) -> tuple[str, str] | None:
    """(name, title) of the section that begins with a line."""
    if appendix := _APPENDIX.match(line):
        return f"Appendix {appendix[1]}", appendix[2]
    if heading := _HEADING.match(line):
        return f"§{heading[1]}", heading[2]
    if chapter != "2":
        return None
    if rule := _RULE.match(line):
        return f"§2 rule {rule[1]}", _title(rule[2])
    if named := _NAMED.match(line):
        return f"§2, {named[1]}", named[1]
    return None


def _title(text: str) -> str:
    return re.split(r"[:(=.]|, on ", text.replace("*", "").replace("`", ""), maxsplit=1)[0].strip()


def cited(docstring: str) -> tuple[str, ...]:
    """The names of the sections that a docstring gives, in its order, each once."""
    found: list[str] = []
    for book, number, rules, names, conventions, appendices in _CITED.findall(" ".join(docstring.split())):
        if conventions:
            found.append(conventions)
        elif appendices:
            found += [f"Appendix {letter}" for letter in appendices.split(" and ")]
        elif book == "DESIGN":
            found.append(f"{DESIGN}§{number}")
        elif rules:
            found += [f"§{number} rule {rule}" for rule in _numbers(rules)]
        elif names:
            found += [f"§{number}, {_section_of(name)}" for name in re.split(", | and ", names)]
        else:
            found.append(f"§{number}")
    return tuple(dict.fromkeys(found))


def _section_of(name: str) -> str:
    return name if name[1:].isalpha() else _LETTERS[name[0]]


def _numbers(said: str) -> Iterator[int]:
    """2, 3 and 9 -> 2 3 9; 2 to 11 -> 2 3 ... 11."""
    for part in re.split(", | and ", re.sub(r"(?<=\d)[a-z]", "", said)):
        first, _, last = part.partition(" to ")
        yield from range(int(first), int(last or first) + 1)
