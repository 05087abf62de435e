"""An entry as the positions where its fields begin, for a job that copies most of them.

Strings keep their bytes and are not parsed; the job parses the numbers that it needs.
"""

from benchmarks.enrichment.contract import ENTRY_HEADER, HEADER_BYTES

Cut = tuple[int, int, int, int, int, int, int, int, int]
"""The start of these fields: project_id, task_id, work_date, minutes, labor_category, billable, status, approved_by,
source.
"""


def cut(data: bytes) -> Cut:
    """The places in a framed entry; ValueError or IndexError where it is no whole entry."""
    if not data.startswith(ENTRY_HEADER):
        raise ValueError(f"not under the schema {ENTRY_HEADER!r}: {data[:HEADER_BYTES]!r}")
    project = _after_string(data, HEADER_BYTES)
    task = _after_string(data, project)
    work_date = _after_string(data, _after_string(data, task))
    minutes = _after_number(data, work_date)
    category = _after_number(data, minutes)
    billable = _after_string(data, category)
    status = billable + 1
    approved_by = status + 1
    note = _after_optional(data, approved_by)
    source = _after_optional(data, note)
    if _after_number(data, _after_string(data, source)) != len(data):
        raise ValueError(f"{len(data)} bytes are not where the record ends")
    return project, task, work_date, minutes, category, billable, status, approved_by, source


def whole(data: bytes) -> int:
    """A number from its bytes, zigzag and seven bits a byte."""
    number = 0
    for byte in reversed(data):
        number = number << 7 | byte & 0x7F
    return (number >> 1) ^ -(number & 1)


def _after_string(data: bytes, at: int) -> int:
    length = data[at]
    if length < 0x80:
        return at + 1 + (length >> 1)
    end = _after_number(data, at)
    return end + whole(data[at:end])


def _after_optional(data: bytes, at: int) -> int:
    return _after_string(data, at + 1) if data[at] else at + 1


def _after_number(data: bytes, at: int) -> int:
    while data[at] > 0x7F:
        at += 1
    return at + 1
