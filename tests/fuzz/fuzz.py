"""The fuzz itself: all processes run, everything is sent, and what became of it is looked at when all is at rest."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import yaml

from cli.run import unsent
from operations.quiescence import NotQuiet, wait_until_quiet
from schemas.codec import encode
from schemas.json_codec import from_json
from tests.contract.sinks.receiving import Receiver, receiving
from tests.fuzz import world
from tests.fuzz.bad_records import bad_records
from tests.fuzz.commands import faults_of_commands
from tests.fuzz.sending import Sender, Sent
from tests.fuzz.verdict import Found, verdict
from tests.fuzz.world import Good, Source
from tests.integration.stream.running import Running, running
from tests.unit.tables.contents import line
from topics.catalogue import FACTS, TOPICS, key_of

BAD_BETWEEN = 3  # bad records between two good ones


@dataclass(slots=True)
class Outcome:
    """What a fuzz comes to."""

    records: int = 0
    restarts: int = 0
    found: Found = field(default_factory=Found)
    faults: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.restarts or self.found.lost or self.found.unnamed or self.faults)

    def report(self) -> str:
        """The figures; the last line is the verdict."""
        found = self.found
        wrong = [*self.faults, *found.unnamed[:40], *found.lost[:40]]
        told = [f"  {n} × {what}" for what, n in found.isolated.most_common(40)]
        return "\n".join(
            (
                *(("set aside by a target or a rule:", *told) if told else ()),
                *(("wrong:", *(f"  {each}" for each in wrong)) if wrong else ()),
                found.figures(),
                f"records {self.records}, dead {found.dead}, exceptions {found.exceptions}, "
                f"workers restarted {self.restarts}, good ones lost {len(found.lost)}",
            )
        )


def fuzz(home: Path, records: int, seed: int, sources: Sequence[str], seconds: float) -> Outcome:
    """Send `records` records over all processes with the intakes of these sources; `seconds` to come to rest in."""
    home.mkdir(parents=True, exist_ok=True)
    with (
        receiving(home) as receiver,
        running(
            home / "home", also=("warehouse",), targets=_targets(home, receiver), sources=",".join(sources)
        ) as stream,
    ):
        outcome, rows, began = Outcome(), [Source(name) for name in sources], time.monotonic()

        def tell(what: str) -> None:
            print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)

        sent = _send(stream.broker, records, Random(seed), rows)
        outcome.records = sent.count
        tell(
            f"{sent.count} records sent, {len(sent.bad)} of them bad; {sent.refused} more were too large for the broker"
        )
        try:
            wait_until_quiet(stream.workers, stream.broker, lambda: unsent(stream.pool), seconds=seconds)
        except NotQuiet as error:
            outcome.faults.append(str(error))
        tell("all workers at rest")
        held = set(receiver.held())
        names = list(stream.workers.names)
        outcome.found = verdict(stream.broker, stream.settings.database_url, names, sent, rows, held)
        tell(f"every record looked for: {outcome.found.figures()}")
        subject = next("/".join(good.subject) for good in sent.good.values() if good.subject)
        outcome.faults += faults_of_commands(stream, home / "invoices", subject)
        tell("every command tried")
        outcome.faults += _after(stream, seconds)
        outcome.restarts = sum(map(len, stream.ended().values()))
        outcome.faults += [f"{name} ended with {codes}" for name, codes in stream.ended().items()]
    return outcome


def _after(stream: Running, seconds: float) -> Iterator[str]:
    """The commands have published too: whether all come to rest again, and still answer."""
    try:
        wait_until_quiet(stream.workers, stream.broker, lambda: unsent(stream.pool), seconds=seconds)
    except NotQuiet as error:
        yield f"after the commands: {error}"
    yield from (f"{name} does not answer" for name in stream.workers.names if stream.workers.status(name) is None)


def _targets(home: Path, receiver: Receiver) -> Path:
    retry = {"first_seconds": 0.1, "longest_seconds": 0.5}
    file = home / "targets.yaml"
    file.write_text(
        yaml.safe_dump({"targets": {"ledgerline": {"kind": "http", "http": receiver.options(), "retry": retry}}})
    )
    return file


def _send(broker: str, records: int, random: Random, sources: list[Source]) -> Sent:
    sender, by_topic = Sender(broker), {topic: source for source in sources for topic in source.topics}
    total = 0
    for content in (*world.masters(), *(code for source in sources for code in source.codes)):
        _send_good(sender, Good(*content))
        total += 1
    for source in sources:
        for topic, row in source.rows:
            sender.good(Good(topic, {}), str(row["id"]), encode(topic, row))
            total += 1
    topics = [topic for topic in TOPICS if not topic.startswith("source.") or _is_read(topic, by_topic)]
    bad = {topic: bad_records(topic, random, by_topic) for topic in topics}
    for n in itertools.count():
        random.shuffle(topics)
        for topic in topics:
            _send_next(sender, topic, n, by_topic)
            total += 1
            for each in itertools.islice(bad[topic], min(BAD_BETWEEN, records - total)):
                sender.bad(each)
                total += 1
            if total >= records:
                return sender.finish()
    raise AssertionError("counting ended")


def _is_read(topic: str, by_topic: dict[str, Source]) -> bool:
    return topic in by_topic or topic in ("source.billing.statuses", "source.control")


def _send_next(sender: Sender, topic: str, n: int, by_topic: dict[str, Source]) -> None:
    if (source := by_topic.get(topic)) is not None:
        row = source.good(topic, n)
        sender.good(Good(topic, {}), str(row["id"]), encode(topic, row))
    else:
        # What only the stream writes lies between charges of entries; each of those topics has numbers of its own.
        mine = n if topic in FACTS and topic not in _FOLLOWING else 10_000_000 + n * 100 + _NUMBERS[topic]
        _send_good(sender, world.good(topic, mine))


_FOLLOWING = ("invoice.status", "erp.postings")
_NUMBERS = {topic: number for number, topic in enumerate(TOPICS)}


def _send_good(sender: Sender, good: Good) -> None:
    if good.topic in FACTS:
        said = line((good.topic, good.value))
        value, key = from_json(good.topic, said["value"]), said["key"]
    else:
        value = from_json(good.topic, good.value)
        key = key_of(good.topic, value)
    sender.good(good, key, encode(good.topic, value))
