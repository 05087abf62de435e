"""docs/rules.md: each section of the law with the rules that decide it; each code, reason and word with its section."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rating.exception_codes import CODES, REASONS
from tools.rules_reference.code import DocumentedRule, SourceTree
from tools.rules_reference.law import DESIGN, EXAMPLES, Section, cited, sections
from tools.rules_reference.words import choices
from topics.catalogue import owners_of

_HEAD = """\
# Rules reference

Made by `hourstream rules --write` from the code and [the law](DOMAIN.md); a test holds it to both. Each section of the
law stands here with the rules that decide it, what each decides, and the codes with which it may park a subject. A rule
is a public function of `rating/`, or what elsewhere names the section as its own. Then the other way: every code, who
is asked, and what heals it.
"""
_CITATION = re.compile(r" \((?:DOMAIN|DESIGN)[^)]*\)")  # its heading says it


def page(checkout: Path) -> str:
    """The whole page."""
    law = sections((checkout / "docs" / "DOMAIN.md").read_text(encoding="utf-8"))
    code = SourceTree(checkout)
    rules = code.rules()
    lines = [_HEAD, *_contents(law), ""]
    for section in law.values():
        lines += [f"## {heading(section)}", "", f"[The law]({_law(section, law)}). {_named(section)}".strip(), ""]
        lines += _examples(checkout) if section.name == EXAMPLES else _table(section.name, rules)
        lines.append("")
    lines += ["## Rules of the design", "", "What the law leaves to [the design](DESIGN.md).", ""]
    for name in sorted({each for rule in rules for each in rule.sections if each.startswith(DESIGN)}, key=_number):
        lines += [f"### {name}", "", *_table(name, rules), ""]
    lines += [*_codes(code, law, rules), "", *_reasons(law, rules), "", *_words(checkout, code)]
    return "\n".join(lines).rstrip() + "\n"


def heading(section: Section) -> str:
    """How a section is headed: `§2 rule 5. Rate`."""
    return section.name if section.name.endswith(f", {section.title}") else f"{section.name}. {section.title}"


def _number(name: str) -> int:
    return int(name.rpartition("§")[2])


def _slug(text: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")


def _law(section: Section, law: Mapping[str, Section]) -> str:
    chapter = law.get(section.name[:2])
    return "DOMAIN.md" if chapter is None else f"DOMAIN.md#{_slug(f'{chapter.name[1:]}. {chapter.title}')}"


def _named(section: Section) -> str:
    """The codes that a section gives by its own words."""
    codes = [code for code, each in CODES.items() if each.section == section.name]
    return f"Codes: {_quoted(codes)}." if codes else ""


def _contents(law: Mapping[str, Section]) -> Iterator[str]:
    for section in law.values():
        yield f"- [{heading(section)}](#{_slug(heading(section))})"
    for title in ("Rules of the design", "Codes of exceptions", "Reasons of charges", "Words"):
        yield f"- [{title}](#{_slug(title)})"


def _table(name: str, rules: Iterable[DocumentedRule]) -> Iterator[str]:
    yield "| rule | decides | codes |"
    yield "|---|---|---|"
    for rule in rules:
        if name in rule.sections:
            codes = [code for code in CODES if code in rule.words]
            yield f"| {_link(rule)} | {_cell(_CITATION.sub('', rule.says))} | {_quoted(codes)} |"


def _examples(checkout: Path) -> Iterator[str]:
    """The tests that hold the figures of the law."""
    yield "| test | holds |"
    yield "|---|---|"
    for file in sorted((checkout / "tests" / "unit").rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        if EXAMPLES in text.split('"""')[1] or EXAMPLES in cited(text):
            name = file.relative_to(checkout).as_posix()
            yield f"| [{name}](../{name}) | {_cell(text.split(chr(34) * 3)[1].split(chr(10))[0])} |"


def _codes(written: SourceTree, law: Mapping[str, Section], rules: Sequence[DocumentedRule]) -> Iterator[str]:
    yield "## Codes of exceptions"
    yield ""
    yield "`owners` are whose records heal it: the owners of those topics in [the catalogue](catalogue.md)."
    yield ""
    yield "| code | section | given by | owners | healed by |"
    yield "|---|---|---|---|---|"
    for code, each in CODES.items():
        givers = [_link(rule) for rule in rules if code in rule.words and rule.function]
        if not givers:
            givers = [f"[{file}](../{file})" for file in written.files_with(code)]
        asked, section = ", ".join(owners_of(each.topics)), _to_section(each.section, law)
        yield f"| `{code}` | {section} | {'<br>'.join(givers)} | {asked} | {_cell(each.heals)} |"


def _reasons(law: Mapping[str, Section], rules: Sequence[DocumentedRule]) -> Iterator[str]:
    yield "## Reasons of charges"
    yield ""
    yield "Why a charge, or the part of it that is not billed, bills nothing: `reason`, in the order of §2 rule 13."
    yield ""
    yield "| reason | section | decided by |"
    yield "|---|---|---|"
    for reason, section in REASONS.items():
        givers = [_link(rule) for rule in rules if reason in rule.words and rule.file.startswith("rating/")]
        yield f"| `{reason}` | {_to_section(section, law)} | {'<br>'.join(givers)} |"


def _words(checkout: Path, code: SourceTree) -> Iterator[str]:
    yield "## Words"
    yield ""
    yield f"Kinds of charges, the prefixes of subjects: {_quoted(code.kinds_of_charges())}."
    yield "Money is rounded half away from zero, once, to the currency's minor unit; minutes by `rounding.mode`. Tax"
    yield "categories are EN 16931's: those of tax rules below, and `AE` (reverse charge), which §2 rule 12 decides."
    yield ""
    yield "| field | words | says | where they decide |"
    yield "|---|---|---|---|"
    for each in choices(checkout):
        name = each.field.rpartition(".")[2]
        files = [f"[{file}](../{file})" for file in code.deciding(name, each.words)]
        yield f"| `{each.topic}` `{each.field}` | {_quoted(each.words)} | {_cell(each.doc)} | {'<br>'.join(files)} |"


def _to_section(name: str, law: Mapping[str, Section]) -> str:
    anchor = _slug(heading(law[name])) if name in law else _slug(name)
    return f"[{name}](#{anchor})"


def _link(rule: DocumentedRule) -> str:
    return f"[{rule.file}](../{rule.file})" + (f" `{rule.function}`" if rule.function else "")


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
