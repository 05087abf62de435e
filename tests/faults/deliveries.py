"""A delivery worker between Kafka and an application, through bad weather, killed again and again; and what came of it.

A cycle is some weather of its own, a blow or two, and one kill -9 of the worker at a random moment or at a point where
it hurts. At the end the sky clears, everything is delivered, and the application's own books are held to what was on
`billing.ready`.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from threading import Event, Semaphore, Thread

import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from devstack.stack import Stack
from devstack.supervisor import Workers
from operations.all_topics import every_topic
from operations.quiescence import unsent
from schemas.codec import decode_for, encode
from settings import Settings
from sinks.delivery.replay import Selection
from sinks.delivery.stats import DeliveryStats, delivery_stats, listed
from storage.charge_batch import ChargeRecord
from storage.migrations import migrate
from storage.postgres import Pool, open_pool
from streaming.topic_reader import read_all
from streaming.transactions import producer_config
from tests.contract.sinks.receiving import Receiver, receiving
from tests.contract.sinks.sink_charges import charge, reversal
from tests.faults.flow import PATIENCE, Faults, await_that, workers_at
from tests.faults.http_proxy import FAULTS, HttpProxy, Weather
from topics.catalogue import CHARGES_TOPIC
from topics.create import create_topics

TARGET = "ledgerline"
WORKER = f"delivery-{TARGET}"
POINTS = ("written", "offering", "answered", "recording")  # of `common.fault_injection`, after the target's name
_ENGAGEMENTS, _A_CYCLE, _A_SECOND = 12, 80, 25  # charges


class Load(Thread):
    """Charges onto `billing.ready`: some reversed and charged anew, some that the application will not have."""

    def __init__(self, broker: str, random: Random) -> None:
        super().__init__(name="charges", daemon=True)
        self.charges: list[ChargeRecord] = []
        self._producer, self._random = Producer(producer_config(broker)), random
        self._ended, self._due = Event(), Semaphore(0)

    def run(self) -> None:
        while not self._ended.wait(1 / _A_SECOND):
            if self._due.acquire(timeout=0.2):
                self.publish()

    def another_cycle(self) -> None:
        """As many charges more as a cycle has: what it is worth does not depend on how long the machine takes."""
        self._due.release(_A_CYCLE)

    def publish(self) -> None:
        """One more charge, and sometimes what undoes an earlier one."""
        n = len(self.charges)
        number = self._random.randrange(_ENGAGEMENTS)
        engagement, entity = f"E-{number}", "" if self._random.random() < 0.05 else f"LE-{number % 2}"
        amount = str(Decimal(self._random.randrange(1, 100_000)) / 100)
        self._put(charge(f"{n}", amount, engagement_id=engagement, legal_entity=entity))
        if self._random.random() < 0.15:
            undone = {each["reverses"] for each in self.charges}
            standing_ = [c for c in self.charges[-200:] if not c["reverses"] and c["charge_id"] not in undone]
            of = self._random.choice(standing_)
            self._put(reversal(of, legal_entity=of["legal_entity"] or "LE-1"))

    def _put(self, each: ChargeRecord) -> None:
        self._producer.produce(CHARGES_TOPIC, encode(CHARGES_TOPIC, each), each["engagement_id"].encode())
        self._producer.poll(0)
        self.charges.append(each)

    def finish(self) -> None:
        """Publish what is due still and no more; everything is acknowledged when this returns."""
        self._ended.set()
        self.join()
        while self._due.acquire(blocking=False):
            self.publish()
        assert self._producer.flush(60) == 0


@dataclass(frozen=True, slots=True)
class Site:
    """What the cycles work on."""

    settings: Settings
    pool: Pool
    receiver: Receiver
    proxy: HttpProxy
    workers: Workers
    faults: Faults

    def standing(self) -> DeliveryStats:
        """How the target stands."""
        await_that(lambda: bool(delivery_stats(self.pool, TARGET)), "nobody delivers")
        (found,) = delivery_stats(self.pool, TARGET)
        return found

    def pid(self) -> int | None:
        """The worker that answers, None while none does."""
        status = self.workers.status(WORKER)
        return None if status is None else int(status["pid"])


@contextmanager
def site(home: Path, random: Random) -> Iterator[Site]:
    """Kafka, PostgreSQL, the application, the proxy before it, and one delivery worker."""
    given = Settings.load(
        home=home, broker=None, postgres_url=None, session_seconds=4.0, batch_records=50, partitions=2
    )
    with receiving(home) as receiver, HttpProxy(receiver.port, random) as proxy, Stack.start(given) as stack:
        targets = home / "targets.yaml"
        target = {
            "kind": "http",
            "http": receiver.options(url=proxy.url) | {"answer_seconds": 2, "connect_seconds": 2},
            "retry": {"first_seconds": 0.1, "longest_seconds": 2, "budget_seconds": 5},
            "breaker": {"failures": 4, "first_seconds": 0.3, "longest_seconds": 3},
        }
        targets.write_text(yaml.safe_dump({"targets": {TARGET: target}}))
        settings = stack.settings.model_copy(update={"targets": targets})
        create_topics(AdminClient({"bootstrap.servers": stack.broker}), every_topic(settings.partitions), 1)
        with open_pool(stack.postgres_url) as pool:
            migrate(pool)
            workers, faults = workers_at(settings, [WORKER])
            with workers:
                yield Site(settings, pool, receiver, proxy, workers, faults)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of the cycles, held to what was on `billing.ready`."""

    cycles: int
    kills: int
    charges: int
    states: Counter[str]
    lost: list[str]
    doubled: list[str]
    wrong: list[str]  # amounts, order, announcements, exceptions
    figures: DeliveryStats
    weather: Counter[str]

    @property
    def clean(self) -> bool:
        """Whether each charge is there exactly once, and everything said of it is so."""
        return not (self.lost or self.doubled or self.wrong)

    def report(self) -> str:
        """The findings, and the line that sums up."""
        lines = [f"LOST {each}" for each in self.lost[:20]] + [f"DOUBLED {each}" for each in self.doubled[:20]]
        lines += [f"WRONG {each}" for each in self.wrong[:20]]
        lines.append("requests: " + ", ".join(f"{n} {fault}" for fault, n in self.weather.most_common()))
        counts = self.figures.counts
        lines.append(
            f"lost {len(self.lost)}, doubled {len(self.doubled)}, wrong {len(self.wrong)}, charges {self.charges}"
            f" ({', '.join(f'{n} {state}' for state, n in sorted(self.states.items()))}), cycles {self.cycles},"
            f" kills {self.kills}, calls {counts.get('answered', 0)} answered {counts.get('unanswered', 0)} unanswered,"
            f" retries {counts.get('retried', 0)}, breaker opened {counts.get('opened', 0)} times"
        )
        return "\n".join(lines)


def soak(home: Path, cycles: int, seed: int, outage: float) -> Delivered:
    """`cycles` cycles; in one of them the application is away for `outage` seconds."""
    random, kills = Random(seed), 0
    with site(home, Random(seed + 1)) as at:
        load = Load(at.settings.bootstrap, Random(seed + 2))
        load.start()
        for number in range(1, cycles + 1):
            load.another_cycle()
            kills += _cycle(at, random, outage if number == (cycles + 1) // 2 else 0.0, number)
        load.finish()
        at.proxy.weather = Weather()
        return _verdict(at, load.charges, cycles, kills)


def _cycle(at: Site, random: Random, outage: float, number: int) -> int:
    """One cycle; gives the number of kills."""
    await_that(lambda: at.pid() is not None, "the worker does not come back")
    before = at.standing().counts
    weather = {fault: random.uniform(0, 0.12) for fault in random.sample(FAULTS, random.randint(1, len(FAULTS)))}
    if random.random() < 0.2:
        weather = {"busy": 0.95}  # a burst of 503
    at.proxy.weather = Weather(weather)
    time.sleep(random.uniform(0.3, 2.5))
    if outage or random.random() < 0.2:
        at.proxy.weather = Weather(weather, down=True)
        time.sleep(outage or random.uniform(0.5, 3.0))
        at.proxy.weather = Weather(weather)
    if random.random() < 0.1:
        at.receiver.stop()  # and what it has answered must be on its disk
        time.sleep(random.uniform(0.2, 1.0))
        at.receiver.start()
    blow = _struck(at, random)
    after = at.standing().counts
    print(
        f"cycle {number}: {', '.join(weather)}{f', away for {outage:g} s' if outage else ''}; {blow};"
        f" {after.get('posted', 0) - before.get('posted', 0)} posted",
        flush=True,
    )
    return 1


def _struck(at: Site, random: Random) -> str:
    """Kill the worker: at once, or at the next passing of a point; what was done, in words."""
    pid = at.pid()
    point = random.choice((None, *POINTS))
    if point is not None:
        at.faults.arm(f"{TARGET}:{point}")
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if any(at.faults.folder.glob(f"{TARGET}:{point}.*")):
                at.faults.wait(f"{TARGET}:{point}")
                return f"killed {point}"
            time.sleep(0.02)
        (at.faults.folder / f"{TARGET}:{point}").unlink(missing_ok=True)
    at.workers.process(WORKER).kill()
    await_that(lambda: at.pid() != pid, "the worker is not killed")
    return "killed"


def _verdict(at: Site, charges: list[ChargeRecord], cycles: int, kills: int) -> Delivered:
    by_id = {each["charge_id"]: each for each in charges}

    def done() -> bool:
        found = listed(at.pool, Selection(target=TARGET))
        return len(found) == len(by_id) and all(each.state != "waiting" for each in found) and not unsent(at.pool)

    while not done():  # however long it takes, as long as it goes on
        waiting, since = at.standing().waiting, time.monotonic()
        while at.standing().waiting == waiting and not done():
            assert time.monotonic() - since < PATIENCE, f"not all is delivered: {at.standing()}"
            time.sleep(0.2)
    rows = {each.charge_id: each for each in listed(at.pool, Selection(target=TARGET))}
    states = Counter(each.state for each in rows.values())
    made = [charge_id for charge_id, _, _ in at.receiver.state()["made"]]
    posted = {key for key, row in rows.items() if row.state == "posted"}
    expected = _expected(charges)
    wrong = [f"{key} is {rows[key].state}, not {state}" for key, state in expected.items() if rows[key].state != state]
    wrong += [
        f"{key} is there as {value} {worked}"
        for key, value, worked in at.receiver.state()["made"]
        if (Decimal(value), worked) != (by_id[key]["amount"], by_id[key]["worked_minutes"])
    ]
    wrong += _out_of_order(made, charges) + _misannounced(at, expected)
    lost = sorted(key for key, state in expected.items() if state == "posted" and key not in set(made))
    doubled = sorted(key for key, times in Counter(made).items() if times > 1)
    wrong += [f"{key} was made without being posted here" for key in set(made) - posted]
    return Delivered(cycles, kills, len(by_id), states, lost, doubled, wrong, at.standing(), Counter(at.proxy.counts))


def _expected(charges: list[ChargeRecord]) -> dict[str, str]:
    """What must become of each: charges of no entity are refused, and come to nothing with their reversal."""
    refused = {each["charge_id"] for each in charges if not each["legal_entity"]}
    undone = {each["reverses"] for each in charges if each["reverses"] in refused}
    states = {each["charge_id"]: "refused" if each["charge_id"] in refused else "posted" for each in charges}
    states |= {each["charge_id"]: "cancelled" for each in charges if each["reverses"] in refused}
    return states | {key: "cancelled" for key in undone if key is not None}


def _out_of_order(made: list[str], charges: list[ChargeRecord]) -> list[str]:
    """Engagements whose charges the application has in another order than the stream."""
    place = {key: n for n, key in enumerate(made)}
    orders = defaultdict[str, list[int]](list)
    for each in charges:
        if each["charge_id"] in place:
            orders[each["engagement_id"]].append(place[each["charge_id"]])
    return [f"{engagement} is out of order" for engagement, order in orders.items() if order != sorted(order)]


def _misannounced(at: Site, expected: dict[str, str]) -> list[str]:
    """Charges of which Kafka was told something else than what is so."""
    said: dict[str, str] = {}
    for record in read_all(at.settings.bootstrap, ["erp.postings"]):
        value = decode_for("erp.postings", record.value or b"")
        said[value["charge_id"]] = value["status"]
    wrong = [
        f"{key} is announced as {said.get(key)}"
        for key, state in expected.items()
        if said.get(key) != ("posted" if state == "posted" else "refused")
    ]
    open_: dict[str, str] = {}
    for record in read_all(at.settings.bootstrap, ["billing.exceptions"]):
        value = decode_for("billing.exceptions", record.value or b"")
        open_[value["subject"].removeprefix("posting:")] = f"{value['status']} {value['code']}"
    refused = {key for key, state in expected.items() if state == "refused"}
    wrong += [f"{key} has no open exception" for key in refused if open_.get(key) != "open ERP_REFUSED"]
    return wrong + [f"{key}: {is_} exception" for key, is_ in open_.items() if key not in refused and "open" in is_]
