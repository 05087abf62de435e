"""The job on Hourstream's batch plane: exactly once, state in RocksDB with a changelog topic.

python -m benchmarks.contenders.hourstream_job

As settle does with plain time, it copies what stays the same and puts what is joined between: masters are kept as the
bytes that they become, under the bytes that name them.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from benchmarks.contenders.surroundings import Surroundings
from benchmarks.enrichment import masters as plain
from benchmarks.enrichment.contract import BILLED_HEADER, HEADER_BYTES
from benchmarks.enrichment.cutting import cut, whole
from benchmarks.enrichment.rule import Unpriced, cents
from schemas.binary import EPOCH_ORDINAL, long, span
from settings import Settings
from streaming.batch import Batch, Output
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.transactions import TransactionalCommitter

SEEN = b"s"  # prefix of the rows that say which entries were billed
_ONCE = b"1"


class Rates(NamedTuple):
    """The dated rates of one selector: their first days, and (day after the last, units, the record's three fields)."""

    starts: list[int]
    rates: list[tuple[int, int, bytes]]

    def on(self, day: int) -> tuple[int, bytes] | None:
        """(units, fields) of the rate of a day."""
        at = bisect_right(self.starts, day) - 1
        if at < 0:
            return None
        end, units, fields = self.rates[at]
        return (units, fields) if day < end else None


class Joined(NamedTuple):
    """Everything an entry is joined with, by the bytes of a name: (fields, currency) of projects, and rates."""

    projects: dict[bytes, tuple[bytes, bytes]]
    by_project: dict[bytes, Rates]
    by_category: dict[bytes, Rates]

    @classmethod
    def of(cls, masters: plain.Masters) -> "Joined":
        """The masters, encoded."""
        projects = {
            span(name.encode()): (
                b"".join(span(part.encode()) for part in (each.client_id, each.legal_entity, each.cost_center)),
                span(each.currency.encode()),
            )
            for name, each in masters.projects.items()
        }
        return cls(projects, _rates(masters.by_project, b"\x00"), _rates(masters.by_labor_category, b"\x02"))


def _rates(by_name: dict[str, plain.Dated], priced_by: bytes) -> dict[bytes, Rates]:
    return {span(name.encode()): _dated(dated, priced_by) for name, dated in by_name.items()}


def _dated(dated: plain.Dated, priced_by: bytes) -> Rates:
    rates = [
        (_day(rate.valid_to), rate.units, priced_by + unscaled(rate.units) + long(_day(rate.valid_from)))
        for rate in dated.rates
    ]
    return Rates([_day(start) for start in dated.starts], rates)


def _day(day: date) -> int:
    return day.toordinal() - EPOCH_ORDINAL


def unscaled(number: int) -> bytes:
    """A decimal's bytes, from its unscaled number."""
    return span(number.to_bytes((number.bit_length() + 8) // 8, "big", signed=True))


def decider(joined: Joined, output: str) -> Callable[[Batch, State], list[Output]]:
    """The rule as the plane calls it, a batch at a time."""
    numbers: dict[bytes, int] = {}  # days and minutes by their bytes: there are few of them

    def number(data: bytes) -> int:
        found = numbers.get(data)
        if found is None:
            found = numbers[data] = whole(data)
        return found

    def bill(data: bytes) -> bytes:
        project, task, work_date, minutes, category, billable, status, approved_by, source = cut(data)
        name, day = data[project:task], number(data[work_date:minutes])
        rates = joined.by_project.get(name)
        rate = rates.on(day) if rates else None
        if rate is None:
            rate = joined.by_category[data[category:billable]].on(day)
        if rate is None:
            raise Unpriced(f"no rate on day {day} for {name!r}")
        units, fields = rate
        of_project, currency = joined.projects[name]
        amount = unscaled(cents(units, number(data[minutes:category])))
        return b"".join((
            BILLED_HEADER, data[HEADER_BYTES:work_date], of_project, data[work_date:status], data[approved_by:source],
            fields, amount, currency, data[source:],
        ))  # fmt: skip

    def decide(batch: Batch, state: State) -> list[Output]:
        values = [record.value or b"" for record in batch.records]
        rows = [SEEN + data[HEADER_BYTES : HEADER_BYTES + 1 + (data[HEADER_BYTES] >> 1)] for data in values]
        state.load(rows)
        outputs = []
        for row, data, record in zip(rows, values, batch.records, strict=True):
            if state.get(row) is None:
                state.put(row, _ONCE)
                outputs.append(Output(output, record.key, bill(data)))
        return outputs

    return decide


def process(surroundings: Surroundings) -> BatchProcess:
    """The worker, over all partitions of the input."""
    settings = Settings.load(broker=surroundings.broker, home=surroundings.state)
    decide = decider(Joined.of(plain.Masters.read(surroundings.masters)), surroundings.output)

    def committer(partition: int) -> TransactionalCommitter:
        return TransactionalCommitter(
            surroundings.app,
            partition,
            (surroundings.input,),
            broker=settings.bootstrap,
            changelog=surroundings.changelog,
            state_dir=settings.state_dir(surroundings.app),
            decide=lambda: decide,
        )

    enrichment = BatchProcess(surroundings.app, (surroundings.input,), committer, settings)

    @enrichment.app.agent(enrichment.topic)
    async def enrich_batches(batches: Batches) -> None:
        async for batch in batches:
            await enrichment.run(batch)

    return enrichment


if __name__ == "__main__":
    process(Surroundings.load()).main("INFO")
