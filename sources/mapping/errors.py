"""Errors of intake: a broken mapping file, a source record that cannot be kept or mapped, a file of no known source."""

_MOST = 2_000  # characters of a message


class MappingError(ValueError):
    """A mapping file is wrong; the message names file, line and remedy."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}, line {line}: {message}")
        self.line = line


class Unusable(ValueError):
    """A source record that cannot even be kept (its key is not its id, its revision no revision): a dead letter."""


class Unmappable(Exception):
    """A source record that cannot be mapped; its message goes to `billing.exceptions`.

    `missing` is (kind, id) of the record that would heal it, if it is one record.
    """

    def __init__(self, message: str, code: str = "UNMAPPABLE", missing: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        # The quoted value may be as long as a record, which is too long for a message.
        self.message = message if len(message) <= _MOST else f"{message[:_MOST]}…"
        self.missing = missing


class MissingLookup(Exception):
    """A look-up that has not arrived: the record waits for it."""

    def __init__(self, entity: str, record_id: str) -> None:
        super().__init__(f"{entity}:{record_id}")
        self.entity = entity
        self.record_id = record_id


class NotRecognised(ValueError):
    """A file that no entity of the sources asked can read; the message says which columns it would need."""

    def __init__(self, message: str, lacking: int) -> None:
        super().__init__(message)
        self.lacking = lacking
