"""Maps a row in memory, as intake would, before anything is published, to find out whether it is usable.

Codes that people map are not looked up yet; each stands for itself and is listed. A missing look-up is no fault either:
the record will wait for it.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from sources.engine import OPEN, Canonical, Mapper, SourceOrigin
from sources.files.records import SourceRow
from sources.mapping.ast import SourceMapping
from sources.mapping.code_map import CODE
from sources.mapping.contracts import Contracts
from sources.mapping.errors import MissingLookup, Unmappable, Unusable
from sources.mapping.evaluator import RecordScope, evaluate
from sources.state import SourceRecordState, SystemRows


class _Layer(dict[bytes, bytes | None]):
    """A state on top of another: the changes of a row, to keep or to drop. Codes are always known."""

    def __init__(self, below: dict[bytes, bytes], codes: bytes) -> None:
        super().__init__()
        self._below, self._codes = below, codes
        self.asked: set[str] = set()

    def get(self, key: bytes, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        if key.startswith(self._codes):
            code = key.removeprefix(self._codes).decode()
            self.asked.add(code)
            return _standing_for(code)
        return self[key] if key in self else self._below.get(key, default)

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self[key] = None

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows with the prefix, in key order. Codes are not listed: each is known when looked up."""
        rows = {**self._below, **self}
        return ((key, row) for key in sorted(rows) if key.startswith(prefix) and (row := rows[key]) is not None)

    def settle(self) -> None:
        """Keep the changes."""
        for key, value in self.items():
            if value is None:
                self._below.pop(key, None)
            else:
                self._below[key] = value


class Trial:
    """One file's rows, one after the other. `codes` counts the rows that need each code (SYSTEM:KIND:CODE)."""

    def __init__(self, mapping: SourceMapping, contracts: Contracts) -> None:
        self.contracts = contracts
        self._mapper = Mapper(mapping, contracts)
        self._state: dict[bytes, bytes] = {}
        self._codes = f"{mapping.system}\0record\0{CODE}\0".encode()
        self._place = 0
        self.codes: Counter[str] = Counter()
        self.made: list[Canonical] = []

    def judge(self, rows: list[SourceRow]) -> str | None:
        """Why no record can be made of a row; None if one can, and then the row counts."""
        layer = _Layer(self._state, self._codes)
        made: list[Canonical] = []
        for row in rows:
            self._place += 1
            origin = SourceOrigin(row.topic, 0, self._place, self._place)
            try:
                applied = self._mapper.apply(layer, row.topic, row.id, row.record, origin)
            except Unusable as unusable:
                return str(unusable)
            why = next((problem.message for problem in applied.problems if problem.status == OPEN), None)
            why = why or self._fault_beside(layer, row)
            if why is not None:
                return why.removeprefix(f"{row.entity} {row.id}: ")
            made += applied.canonical
        layer.settle()
        self.codes.update(layer.asked)
        self.made += made
        return None

    def _fault_beside(self, layer: _Layer, row: SourceRow) -> str | None:
        """The fault of a waiting record beside its missing look-up: it would appear only later."""
        rows = SystemRows(layer, self._mapper.mapping.system)
        if rows.outcome(row.entity, row.id).missing is None:
            return None
        entity = self._mapper.mapping.entities[row.entity]
        scope = RecordScope(self._mapper.mapping, rows, entity, row.id, row.record)
        for publication in entity.publish:
            for expression in publication.fields.values():
                try:
                    evaluate(expression, scope)
                except MissingLookup:
                    continue
                except Unmappable as unmappable:
                    return unmappable.message
        return None

    def waiting(self) -> dict[str, int]:
        """The number of waiting records, by the entity they wait for."""
        return self._mapper.waiting(_Layer(self._state, self._codes))


def _standing_for(code: str) -> bytes:
    """A code's own text as its canonical id."""
    content = {"canonical_id": code.split(":", 2)[2]}
    return msgspec.msgpack.encode(SourceRecordState(content, 1, SourceOrigin("", 0, 0, 0)))
