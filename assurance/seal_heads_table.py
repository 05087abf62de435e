"""The copy of the seal heads in PostgreSQL, in addition to the one in a file."""

from dataclasses import dataclass

from storage.postgres import Pool, scalar, transaction

_WRITE = """
INSERT INTO hourstream.seal_heads (one, heads) VALUES (true, %s)
ON CONFLICT (one) DO UPDATE SET heads = excluded.heads, written_at = now()
"""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """The row of `hourstream.seal_heads`."""

    pool: Pool

    @property
    def name(self) -> str:
        """The table."""
        return "hourstream.seal_heads"

    def read(self) -> str | None:
        """Raises Unreachable."""
        with transaction(self.pool) as cursor:
            found = scalar(cursor, "SELECT heads FROM hourstream.seal_heads")
        return None if found is None else str(found)

    def write(self, text: str) -> None:
        """Raises Unreachable."""
        with transaction(self.pool) as cursor:
            cursor.execute(_WRITE, (text,))
