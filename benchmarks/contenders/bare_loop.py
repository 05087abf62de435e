"""The floor: consume, decode, join, encode, produce with confluent_kafka. No state, no transactions, repeats stay.

python -m benchmarks.contenders.bare_loop
"""

import signal
import threading

from confluent_kafka import Consumer, KafkaException, Producer

from benchmarks.contenders.surroundings import Surroundings
from benchmarks.enrichment.contract import decode_entry, encode_billed
from benchmarks.enrichment.masters import Masters
from benchmarks.enrichment.rule import enrich
from streaming.reader import reader_config
from streaming.transactions import producer_config

_AT_ONCE, _PATIENCE = 5_000, 0.02


def main() -> None:
    """Loop until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    surroundings = Surroundings.load()
    masters = Masters.read(surroundings.masters)
    config = {**reader_config(surroundings.broker, surroundings.app), "auto.offset.reset": "earliest"}
    consumer = Consumer({**config, "enable.partition.eof": False, "enable.auto.commit": True})
    consumer.subscribe([surroundings.input])
    producer = Producer(producer_config(surroundings.broker))
    while not stop.is_set():
        for message in consumer.consume(_AT_ONCE, _PATIENCE):
            if (error := message.error()) is not None:
                raise KafkaException(error)
            billed = encode_billed(enrich(masters, decode_entry(message.value())))
            producer.produce(surroundings.output, billed, message.key())
        producer.poll(0)
    producer.flush(30)
    consumer.close()


if __name__ == "__main__":
    main()
