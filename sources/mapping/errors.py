"""Errors of intake: a broken mapping file, a source record that cannot be kept or mapped, a file of no known source."""

_MOST = 2_000  # characters of a message


class MappingError(ValueError):
    """A mapping file is wrong; the message names file and line and says what to do."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}, line {line}: {message}")
        self.line = line


class Unusable(ValueError):
    """A source record that cannot even be kept (its key is not its id, its revision no revision): a dead letter."""


class Unmappable(Exception):
    """A source record of which nothing can be made; what it says goes to `billing.exceptions`.

    `missing` is (kind, id) of what would heal it, where that is one record.
    """

    def __init__(self, message: str, code: str = "UNMAPPABLE", missing: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        # What it quotes may be as long as a record, which no message may be.
        self.message = message if len(message) <= _MOST else f"{message[:_MOST]}…"
        self.missing = missing


class Missing(Exception):
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
