"""intake: reads records of upstream systems; publishes new revisions of canonical records.

There is one process per source system and one partition: a system's records look each other up, so they share one
state. Records that wait for a look-up stay in that state, counted and visible. A mapping with codes also reads
`master.code-map`.
"""

from collections.abc import Callable
from pathlib import Path

from rating.exception_record import ExceptionStatus
from rating.model.charge import Missing, Parked
from schemas.codec import encode
from settings import Settings
from sources import reviews
from sources.canonical import Canonical
from sources.engine import Mapper, MappingProblem
from sources.mapping import catalogue
from sources.mapping.ast import SourceMapping
from sources.mapping.code_map import CODE_MAP
from sources.mapping.errors import Unusable
from sources.mapping.loader import load_mapping
from sources.state import SourceOrigin
from streaming.batch import Batch, Output, Record
from streaming.dead_letters import DEAD_LETTERS, dead_letter, read
from streaming.process import Batches, BatchProcess
from streaming.state import State
from streaming.stateful_process import stateful_process
from tables.settlement.exception_record import EXCEPTIONS, RESOLVED, StandingException, exception_record
from tables.windows import Tally, count_set_aside

NAME = "intake"
FIRST = "tock"  # whose process has no other name
BATCH_RECORDS = 2_000  # a record makes several: with smaller batches the next stages need not wait
MAPPING = Path(__file__).parents[1] / "sources" / "tock.yaml"


def process(settings: Settings) -> BatchProcess:
    """The intake process of Tock."""
    return _process(settings, NAME, MAPPING)


def process_of(settings: Settings, source: str) -> BatchProcess:
    """The intake process of any source, called after it."""
    return _process(settings, name_of(source), catalogue.file_of(source))


def name_of(source: str) -> str:
    """The name of a source's intake process."""
    return NAME if source == FIRST else f"{NAME}-{source}"


def _process(settings: Settings, name: str, file: Path) -> BatchProcess:
    mapper = Mapper(load_mapping(file))
    topics = inputs_of(name, mapper.mapping)
    intake = stateful_process(
        name, topics, settings, lambda: decider(mapper), batch_records=BATCH_RECORDS, note=count_set_aside
    )

    @intake.app.agent(intake.topic)
    async def map_records(batches: Batches) -> None:
        async for batch in batches:
            await intake.run(batch)

    return intake


def inputs_of(name: str, mapping: SourceMapping) -> tuple[str, ...]:
    """The topics that an intake process reads: reviews too, but for Tock, whose records come from its interface."""
    return mapping.topics if name == NAME else (*mapping.topics, reviews.TOPIC)


def decider(mapper: Mapper) -> Callable[[Batch, State], list[Output]]:
    """A batch's outputs by this mapping."""

    def process_batch(batch: Batch, state: State) -> list[Output]:
        outputs, tally = list[Output](), Tally()
        before = mapper.waiting(state)
        for record, value in read(batch.records, NAME, outputs):
            outputs += _apply(mapper, state, record, value, tally)
        outputs = [output for output in outputs if not _is_of_masters(output)]
        for record in batch.records:
            tally.count("received", record.timestamp_ms)
        tally.count("dead", batch.timestamp_ms, sum(output.topic == DEAD_LETTERS for output in outputs))
        after = mapper.waiting(state)
        for missing in {*before, *after}:
            tally.add(after.get(missing, 0) - before.get(missing, 0), "waiting", missing)
        tally.write(state)
        return outputs

    return process_batch


def _apply(mapper: Mapper, state: State, record: Record, value: dict[str, object], tally: Tally) -> list[Output]:
    origin = SourceOrigin(record.topic, record.partition, record.offset, record.timestamp_ms)
    key = (record.key or b"").decode(errors="replace")
    try:
        hold = reviews.hold_in(record.headers)
        applied = mapper.apply(state, record.topic, key, value, origin, None if hold is None else hold.message)
    except Unusable as error:
        return [dead_letter(record, str(error), NAME)]
    tally.count("mapped", record.timestamp_ms, len(applied.canonical))
    for problem in applied.problems:
        tally.count(problem.status, record.timestamp_ms)
    canonical = [_canonical(each) for each in applied.canonical]
    return canonical + [_problem(problem) for problem in applied.problems]


def _is_of_masters(output: Output) -> bool:
    """Whether this is the dead letter of a mapped code: masters reads the same topic and publishes that letter."""
    return output.topic == DEAD_LETTERS and (output.key or b"").startswith(f"{CODE_MAP}:".encode())


def _canonical(made: Canonical) -> Output:
    """The record, with where it comes from in its headers: lineage reaches back to the source system."""
    at = made.origin
    headers = [
        ("source.record", made.source_record.encode()),
        ("source.position", f"{at.topic}:{at.partition}:{at.offset}".encode()),
        ("source.revision", str(made.source_revision or "").encode()),
    ]
    return Output(made.topic, made.key.encode(), encode(made.topic, made.record), headers)


def _problem(problem: MappingProblem) -> Output:
    parked = Parked(
        code=problem.code,
        message=problem.message,
        missing=None if problem.missing is None else Missing(*problem.missing, None),
        amount_at_stake=None,
        minutes=0,
        waived=False,
        owner="",
        region="",
        revision=1,
    )
    standing = StandingException(parked, problem.first_seen_ms, problem.attempts)
    status: ExceptionStatus | None = RESOLVED if problem.status == RESOLVED else None
    return Output(EXCEPTIONS, b"", encode(EXCEPTIONS, exception_record("", problem.subject, standing, status)))
