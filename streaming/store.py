"""The state of one partition on local disk: RocksDB, written once per committed batch.

The store is a cache of the changelog: losing it costs a restore, never a fact. Two rows say how far it is:
`REACHED` (next changelog offset, in the store only) and a position row per source topic (in the changelog too). Two
more, in the store only, say of what it is a cache: `CHANGELOG` (the topic's id) and `WRITTEN` (as of when, epoch ms).
"""

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, ReadOptions, WriteBatch, WriteBufferManager

from streaming.local_state import StoreUnreadable, failure, state_folder
from topics import state_keys

REACHED, CHANGELOG = state_keys.REACHED.prefix, state_keys.CHANGELOG.prefix
WRITTEN, POSITION = state_keys.WRITTEN.prefix, state_keys.POSITION.prefix

# One budget for the process, not one a partition: RocksDB's own default is a cache per open store.
_CACHE = Cache(24 << 20)
_BUFFERS = WriteBufferManager(32 << 20, False)


def position_key(topic: str) -> bytes:
    """Key of the row that holds the next offset to read of `topic`."""
    return POSITION + topic.encode()


def _options() -> Options:
    options, blocks = Options(raw_mode=True), BlockBasedOptions()
    blocks.set_block_cache(_CACHE)
    blocks.set_block_size(16 << 10)  # a quarter of the index, which is in memory for every file
    blocks.set_bloom_filter(10, False)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_manager(_BUFFERS)
    options.set_level_zero_file_num_compaction_trigger(8)  # each time all of the level below is written anew
    options.set_keep_log_file_num(2)
    options.create_if_missing(True)
    return options


class Store:
    """Rows of bytes by key, in key order. One process at a time holds it (RocksDB's lock)."""

    def __init__(self, path: Path) -> None:
        state_folder(path.parent)
        self.path = path
        try:
            self._db = Rdict(str(path), _options())
        except Exception as error:
            raise failure(error, path) from error

    def get(self, key: bytes) -> bytes | None:
        """The row's value, or None."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise failure(error, self.path) from error
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One multi-get: values in the order of `keys`, None where there is no row."""
        try:
            values: list[bytes | None] = self._db.get(list(keys))
        except Exception as error:
            raise failure(error, self.path) from error
        return values

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, from key `start` on, in key order."""
        try:
            rows = self._db.iter(ReadOptions())
            rows.seek(max(prefix, start))
            while rows.valid():
                key: bytes = rows.key()
                if not key.startswith(prefix):
                    return
                yield key, rows.value()
                rows.next()
            rows.status()  # raises where it ended at a damaged block
        except Exception as error:
            raise failure(error, self.path) from error

    def write(self, rows: Mapping[bytes, bytes | None], reached: int | None) -> None:
        """All rows at once (None deletes), and how far the changelog is now in here."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if reached is not None:
            batch.put(REACHED, b"%d" % reached)
            batch.put(WRITTEN, b"%d" % (time.time() * 1000))
        try:
            self._db.write(batch)
        except Exception as error:
            raise failure(error, self.path) from error

    def reached(self) -> int:
        """Next changelog offset to apply; 0 for an empty store."""
        return self._number(REACHED) or 0

    def written_ms(self) -> int | None:
        """When it was last known to hold everything up to `reached`; None for an empty store."""
        return self._number(WRITTEN)

    def empty(self) -> None:
        """Forget everything, by starting a new database in the same place."""
        self._db.close()
        try:
            shutil.rmtree(self.path)
            self._db = Rdict(str(self.path), _options())
        except Exception as error:
            raise failure(error, self.path) from error

    def positions(self, topics: Iterable[str]) -> dict[str, int | None]:
        """Next offset to read per source topic, None where nothing was read yet."""
        return {topic: self._number(position_key(topic)) for topic in topics}

    def _number(self, key: bytes) -> int | None:
        """A row that the plane wrote itself. Raises StoreUnreadable where it is no number."""
        row = self.get(key)
        if row is None:
            return None
        if not row.isdigit():
            raise StoreUnreadable(f"{self.path} holds {row[:40]!r} in place of a number at {key!r}")
        return int(row)

    def close(self) -> None:
        """Flush and release the lock."""
        self._db.close()
