"""Every sink against the one contract."""

import pytest

from invoicing.charge_projection import Projection
from sinks.contract import Sink
from sinks.journal import Journal
from sinks.memory import MemorySink
from storage.charge_batch import SinkBatch
from tests.contract.sinks.postgres_contract import PostgresContract
from tests.contract.sinks.sink_charges import batch, charge
from tests.contract.sinks.sink_contract import Ledger, SinkContract
from topics.catalogue import CHARGES_TOPIC


class TestMemory(SinkContract):
    """The sink in memory."""

    @pytest.fixture
    def sink(self) -> Sink:
        return MemorySink()

    def ledger(self, sink: Sink) -> Ledger:
        assert isinstance(sink, MemorySink)
        return {key: (each["amount"], each["worked_minutes"]) for key, each in sink.posted.items()}


class TestJournal(PostgresContract):
    """The ERP journal."""

    table = "journal_postings"
    written_last = "outbox"
    build = staticmethod(Journal)


class TestProjection(PostgresContract):
    """The projection that invoices read."""

    table = "charges"
    written_last = "charges"
    build = staticmethod(Projection)


def test_a_batch_out_of_order_is_no_batch() -> None:
    rows = batch(0, [charge("a"), charge("b")]).rows
    with pytest.raises(ValueError, match="offset 0 comes after 1"):
        SinkBatch(CHARGES_TOPIC, 0, 0, 5, rows[::-1])
    with pytest.raises(ValueError, match="ends at 1"):
        SinkBatch(CHARGES_TOPIC, 0, 0, 1, rows)
    with pytest.raises(ValueError, match="offset 0 comes after 4"):
        SinkBatch(CHARGES_TOPIC, 0, 5, 9, rows)
