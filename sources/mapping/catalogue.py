"""The catalogue of sources: one mapping file each, beside this module, named after its system."""

from functools import cache
from pathlib import Path

from sources.mapping.ast import SourceMapping
from sources.mapping.errors import MappingError
from sources.mapping.loader import load_mapping
from sources.mapping.yaml_nodes import nearest

_FOLDER = Path(__file__).parents[1]


def names() -> tuple[str, ...]:
    """Every source, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def file_of(name: str) -> Path:
    """The mapping file of a source. Raises MappingError for one that is not there."""
    path = _FOLDER / f"{name}.yaml"
    if name not in names():
        known = names()
        raise MappingError(str(path), 1, f"there is no such source{nearest(name, known)}; there are {', '.join(known)}")
    return path


@cache
def load(name: str) -> SourceMapping:
    """A source's mapping. Raises MappingError where it is wrong, or says another system than its file's name."""
    path = file_of(name)
    mapping = load_mapping(path)
    if mapping.system != name:
        raise MappingError(str(path), 1, f"system is {mapping.system!r}; a mapping file is called after its system")
    return mapping
