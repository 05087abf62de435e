"""`billing.exceptions`: one record a state change; conflicts beside whatever charge there is (DOMAIN §1, §3)."""

from metrics.worker_metrics import conservation_residue
from tests.unit.tables.contents import MASTERS, decision, engagement, entry, line, numbered, rate_card, task
from tests.unit.tables.stream import Line, Stream

HOUR = line(entry("E1", "1"))
UNLIKE = line(entry("E1", "1", 90))


def told(stream: Stream) -> list[tuple[str, str, str, int]]:
    """(subject, code, status, attempts) of every exception record so far."""
    records = stream.said("billing.exceptions")
    return [(r["subject"], r["code"], r["status"], r["attempts"]) for r in records]


def after(*batches: list[Line]) -> Stream:
    """The stream after these batches, at rest."""
    stream = Stream()
    for batch in batches:
        stream.deliver(batch)
    stream.rest()
    return stream


def test_a_subject_heals_by_itself_when_each_missing_master_arrives() -> None:
    masters = numbered(MASTERS)
    stream = after([HOUR], *([each] for each in masters))
    assert [(status, code) for _, code, status, _ in told(stream)] == [
        ("open", "UNKNOWN_ENGAGEMENT"),
        ("open", "UNKNOWN_TASK"),
        ("resolved", "UNKNOWN_TASK"),
    ]
    first, *_, last = stream.said("billing.exceptions")
    assert (first["first_seen"], first["exception_id"]) == (last["first_seen"], last["exception_id"])
    assert stream.books.ledger()[0]["state"] == "charged"


def test_a_waive_holds_for_its_revision_alone_and_a_retry_changes_no_fact() -> None:
    masters = [each for each in numbered(MASTERS) if each["topic"] != "master.rate-cards"]
    stream = after(masters, [HOUR], [line(decision("E1", "d", "time:1"))])
    assert told(stream) == [("time:1", "NO_RATE", "open", 1), ("time:1", "NO_RATE", "waived", 2)]
    assert stream.totals()["waived_minutes",] == 60
    stream.deliver([line(decision("E1", "again", "time:1", "retry"))])
    assert told(stream)[2:] == [("time:1", "NO_RATE", "waived", 3)]
    stream.deliver([line(entry("E1", "1", 75), revision=2)])
    assert told(stream)[3:] == [("time:1", "NO_RATE", "open", 4)]
    stream.deliver([line(rate_card("100"))])
    stream.rest()
    assert told(stream)[4:] == [("time:1", "NO_RATE", "resolved", 4)]
    assert conservation_residue(stream.totals()) == 0


def test_a_waive_taken_back_by_a_revision_opens_the_exception_again() -> None:
    masters = [each for each in numbered(MASTERS) if each["topic"] != "master.rate-cards"]
    taken_back = line(decision("E1", "d", "time:1", "retry"), revision=2)
    stream = after(masters, [HOUR], [line(decision("E1", "d", "time:1"))], [taken_back])
    assert [status for *_, status, _ in told(stream)] == ["open", "waived", "open"]


def test_a_conflict_is_told_once_and_closed_by_the_next_revision() -> None:
    stream = after(numbered(MASTERS), [HOUR], [UNLIKE], [UNLIKE])
    assert told(stream) == [("conflict:time.entries:1", "SAME_REVISION_DIFFERENT_CONTENT", "open", 1)]
    assert stream.books.ledger()[0]["worked_minutes"] == 60  # the first seen stands
    stream.deliver([line(entry("E1", "1", 45), revision=2)])
    assert told(stream)[1:] == [("conflict:time.entries:1", "SAME_REVISION_DIFFERENT_CONTENT", "resolved", 1)]
    assert stream.totals()["parked", "SAME_REVISION_DIFFERENT_CONTENT", ""] == 0


def test_a_conflict_is_told_once_whoever_owns_the_engagement_by_then() -> None:
    stream = after([HOUR], [UNLIKE], [line(engagement("E1"))], [UNLIKE])
    conflicts = [each for each in told(stream) if each[0].startswith("conflict:")]
    assert conflicts == [("conflict:time.entries:1", "SAME_REVISION_DIFFERENT_CONTENT", "open", 1)]
    stream.deliver([line(entry("E1", "1", 45), revision=2)])
    assert stream.totals()["parked", "SAME_REVISION_DIFFERENT_CONTENT", ""] == 0


def test_a_retry_asks_once_more_after_a_sweep_of_the_same_batch() -> None:
    masters = [each for each in numbered(MASTERS) if each["topic"] != "master.tasks"]
    stream = after(masters, [HOUR])
    reopened = line(task("E1", 1, closed_on="2024-01-01"))
    stream.deliver([line(decision("E1", "d", "time:1", "retry")), reopened])
    stream.rest()
    assert told(stream) == [
        ("time:1", "UNKNOWN_TASK", "open", 1),
        ("time:1", "TASK_CLOSED", "open", 2),
        ("time:1", "TASK_CLOSED", "open", 3),
    ]
