"""State that Faust 0.15.3 does not get back, loses by the clock, or keeps at a price nobody asked for."""
import time
from confluent_kafka import Producer

from tests.faults.faust_holes.conftest import Make, held_by


@held_by("recovery waits for the last offset, and where a transaction wrote the changelog that is a marker: for ever")
def test_a_table_whose_changelog_was_written_in_transactions_recovers(subject: Make, kind: str) -> None:
    app = subject(kind, "recovery")
    app.topics({f"{app.name}-totals-changelog": 1})
    for changelog in (app.changelog, f"{app.name}-totals-changelog"):
        producer = Producer({"bootstrap.servers": app.broker, "transactional.id": changelog})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(changelog, b"1", b'"a"')
        producer.commit_transaction(30)
    app.publish(b"0")
    app.start()
    app.until(lambda: bool(app.outputs()), seconds=15)
    assert app.outputs() == [b"0"]
