"""Continuous load: plain time and facts with every feature, some repeated, some corrected, masters changing meanwhile.

Everything is drawn from a seed. Its producer is idempotent and waits for all replicas, and keeps its own list of what
was acknowledged: whatever became of the broker, that must be found again.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from random import Random

from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.codec import encode
from schemas.json_codec import from_json
from streaming.transactions import producer_config
from tests.unit.tables import contents
from tests.unit.tables.contents import Content, Revisions
from tests.unit.tables.drawn import World
from tests.unit.tables.drawn_facts import fact
from tests.unit.tables.drawn_masters import changed_master, first_masters
from tests.unit.tables.stream import Line

PER_SECOND, STEP = 100, 0.1
FEATUREFUL = World([f"E{n:02}" for n in range(16)], [f"C{n}" for n in range(6)], [f"CL{n}" for n in range(4)], ids=12)
WAVE, ABREAST = 3000, 12  # plain entries before new engagements take over, and how many of these there are
Acknowledged = dict[tuple[str, int, int], tuple[bytes, bytes]]  # (topic, partition, offset): (key, value)
Sent = tuple[str, bytes, bytes]  # topic, key, value
SILENCE = 40.0  # seconds without an answer; seen once after a broker's restart, for as long as anybody waited


class Load:
    """Publishes from a thread of its own between `start` and `finish`."""

    def __init__(self, broker: str, random: Random, per_second: int = PER_SECOND) -> None:
        self.acknowledged: Acknowledged = {}
        self._random, self._revisions, self._per_second = random, Revisions(), per_second
        self.unheard: set[Sent] = set()  # what a producer that went silent was told to send: nobody knows if it did
        self.unplaced: set[Sent] = set()  # acknowledged without an offset
        self._config = {**producer_config(broker), "reconnect.backoff.max.ms": 500, "log_level": 0}
        self._producer, self._heard = Producer(self._config), time.monotonic()
        self._failed: list[object] = []
        self._sent: deque[Line] = deque(maxlen=2000)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """End, and wait until everything is acknowledged. Raises what went wrong meanwhile."""
        self._stop.set()
        self._thread.join(60)
        unsent = self._producer.flush(120)
        if self._failed or unsent:
            raise KafkaException(self._failed[0] if self._failed else KafkaError(KafkaError._TIMED_OUT))

    def _run(self) -> None:
        lines, due = self._lines(), time.monotonic()
        try:
            while not self._stop.is_set():
                for _ in range(round(self._per_second * STEP)):
                    self._publish(next(lines))
                self._producer.poll(0)
                if len(self._producer) and time.monotonic() - self._heard > SILENCE:
                    self._start_over()
                due = max(due + STEP, time.monotonic() - 1.0)
                self._stop.wait(max(due - time.monotonic(), 0.0))
        except Exception as error:
            self._failed.append(error)
            raise

    def _start_over(self) -> None:
        """Give up a producer that hears nothing any more, and send again what it was not answered."""
        print(f"the load's producer heard nothing for {SILENCE:g} s: it is replaced", flush=True)
        given_up, self._producer = self._producer, Producer(self._config)
        before = set(self.unheard)
        given_up.purge()
        given_up.poll(0)
        self._heard = time.monotonic()
        for topic, key, value in self.unheard - before:
            self._producer.produce(topic, value, key, on_delivery=self._delivered)

    def _lines(self) -> Iterator[Line]:
        random = self._random
        yield from map(self._revisions.next, first_masters(random.choice, FEATUREFUL))
        number = 0
        while True:
            wave = f"P{number // WAVE:02}"
            names = [f"{wave}-{n:02}" for n in range(ABREAST)]
            masters = [each for name in names for each in plain_masters(name, wave)]
            random.shuffle(masters)  # a rate may come after the time that waits for it
            for _ in range(WAVE):
                number += 1
                if masters:
                    yield self._revisions.next(masters.pop())
                yield from self._next(names, number)

    def _next(self, names: list[str], number: int) -> Iterator[Line]:
        random = self._random
        one = number if random.random() < 0.9 else max(number - random.randrange(300), 1)  # the latter is corrected
        name, minutes = names[one % ABREAST], random.choice((15, 60, 90, 480))
        yield self._fact(contents.entry(name, str(one), minutes, f"2024-01-{one % 28 + 1:02}", consultant_id="PC"))
        if number % 2:
            yield self._fact(fact(random.choice, FEATUREFUL))
        if number % 20 == 0:
            for _ in range(2):
                yield random.choice(self._sent)  # once more, byte for byte
        if number % 150 == 0:
            yield self._revisions.next(changed_master(random.choice, FEATUREFUL))
        if number % 400 == 0:
            yield self._revisions.next(plain_card(random.choice(names), random.choice(("100", "110.5", "95.25"))))

    def _fact(self, content: Content) -> Line:
        line = self._revisions.next(content)
        self._sent.append(line)
        return line

    def _publish(self, line: Line) -> None:
        topic, key = line["topic"], line["key"].encode()
        value = encode(topic, from_json(topic, line["value"]))
        self._producer.produce(topic, value, key, on_delivery=self._delivered)

    def _delivered(self, error: KafkaError | None, message: object) -> None:
        if error is not None and error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self.unheard.add((message.topic(), message.key(), message.value()))  # type: ignore[attr-defined]
            return
        if error is not None:
            self._failed.append(error)
            return
        self._heard = time.monotonic()
        topic, offset = message.topic(), message.offset()  # type: ignore[attr-defined]
        key, value = message.key(), message.value()  # type: ignore[attr-defined]
        if offset is None:  # the broker had it already: the answer to the first request was lost
            self.unplaced.add((topic, key, value))
        else:
            self.acknowledged[topic, message.partition(), offset] = (key, value)  # type: ignore[attr-defined]


def plain_card(name: str, hourly: str) -> Content:
    """A card of one engagement alone, so that its change settles that engagement and no other."""
    topic, value = contents.rate_card(hourly)
    return topic, value | {"rate_card_id": f"RC-{name}", "is_firm_default": False}


def plain_masters(name: str, wave: str) -> list[Content]:
    """What time on a plain engagement needs; nothing of it is shared with the featureful ones but the seller."""
    topic, client = contents.client("DE-PLAIN")
    return [
        contents.engagement(
            name, client_id=f"CL-{wave}", rate_card_id=f"RC-{name}", billing_method="time_and_materials"
        ),
        contents.task(name),
        plain_card(name, "100"),
        (topic, client | {"client_id": f"CL-{wave}"}),
        contents.consultant("PC", "Engineer"),
        contents.tax_rule("19", "TX-PLAIN", "DE-PLAIN"),
    ]
