"""The metrics worker's own metrics: its sums and totals, aggregated to few labels with the names of the masters."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from prometheus_client.core import Metric

from metrics.metric_catalogue import counter, gauge, histogram
from rating.model.masters import Masters
from rating.unbilled_work import AGE_BUCKETS, age_bucket
from tables.cycle_times import histograms
from tables.rollup_sums import Named
from tables.windows import SPANS

WEEKS = 4
MOST_GROUPS = 50  # approval groups with their own label; further ones are "other"
UNKNOWN, OTHER = "unknown", "other"


@dataclass(slots=True)
class Finance:
    """The data of the metrics: sums, totals and windows of all partitions held here, masters, now (epoch ms)."""

    masters: Masters
    windows: dict[tuple[int, str], int]
    now_ms: int
    sums: Counter[Named] = field(default_factory=Counter)
    totals: Counter[Named] = field(default_factory=Counter)

    @property
    def today(self) -> date:
        """The day of now, UTC."""
        return datetime.fromtimestamp(self.now_ms / 1000, UTC).date()

    def named(self, name: str) -> Iterator[tuple[Named, int]]:
        """(parts of the name, sum) of the sums with that name."""
        return ((parts, n) for (first, *rest), n in self.sums.items() if first == name for parts in [tuple(rest)])

    def total(self, name: str) -> Iterator[tuple[Named, int]]:
        """The same of totals."""
        return ((parts, n) for (first, *rest), n in self.totals.items() if first == name for parts in [tuple(rest)])

    def currency(self, engagement: str) -> str:
        """The currency of an engagement."""
        found = self.masters.engagements.get(engagement)
        return found.currency if found is not None else UNKNOWN

    def region(self, engagement: str, known: str) -> str:
        """The region of an exception: its own, else that of the engagement's client."""
        found = self.masters.engagements.get(engagement)
        client = None if found is None else self.masters.clients.get(found.client_id)
        return known or (UNKNOWN if client is None else client.region)


def finance_metrics(finance: Finance) -> Iterator[Metric]:
    """All of them."""
    yield from _touchless(finance)
    yield from _counted(finance)
    yield from _backlog(finance)
    yield from _unbilled(finance)
    yield from _exceptions(finance)
    yield from _utilization(finance)
    yield from _ready(finance)
    approvals = histogram("cycle_seconds")
    for step, region, buckets, seconds in histograms(finance.totals):
        approvals.add_metric((step, region), buckets, seconds)
    yield approvals


def _touchless(finance: Finance) -> Iterator[Metric]:
    for name in ("posted_minutes", "manual_minutes"):
        family = counter(name)
        family.add_metric((), finance.totals[name,])
        yield family
    recent = gauge("window_touchless_ratio")
    for span in SPANS:
        posted = finance.windows.get((span, "posted_minutes"), 0)
        if posted:
            manual = finance.windows.get((span, "manual_minutes"), 0)
            recent.add_metric((str(span),), 1 - min(manual / posted, 1.0))
    yield recent


def _counted(finance: Finance) -> Iterator[Metric]:
    for name, metric in (
        ("answers", "posting_answers"),
        ("entries", "time_entries"),
        ("exception_records", "exception_records"),
    ):
        family = counter(metric)
        for labels, n in sorted(finance.total(name)):
            family.add_metric(labels, n)
        yield family


def _backlog(finance: Finance) -> Iterator[Metric]:
    group_of = {id_: each.approval_group or "none" for id_, each in finance.masters.engagements.items()}
    groups = _few(group_of.values())

    def group(engagement: str) -> str:
        name = group_of.get(engagement, UNKNOWN)
        return name if name in groups else OTHER

    entries, minutes, oldest = Counter[str](), Counter[str](), dict[str, str]()
    for (engagement, day), n in finance.named("backlog_entries"):
        entries[group(engagement)] += n
        oldest[group(engagement)] = min(day, oldest.get(group(engagement), day))
    for (engagement, _), n in finance.named("backlog_minutes"):
        minutes[group(engagement)] += n
    families = [gauge(f"approval_backlog_{name}") for name in ("entries", "minutes", "oldest_age_seconds")]
    for name in sorted({*groups, *entries}):
        age = _seconds_since(oldest[name], finance) if name in oldest else 0
        for family, value in zip(families, (entries[name], minutes[name], age), strict=True):
            family.add_metric((name,), value)
    yield from families


def _few(groups: Iterable[str]) -> set[str]:
    """The groups of most engagements, so that labels stay bounded whatever the masters say."""
    return {"none", UNKNOWN, *(name for name, _ in Counter(groups).most_common(MOST_GROUPS))}


def _seconds_since(day: str, finance: Finance) -> float:
    began = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return max(finance.now_ms / 1000 - began.timestamp(), 0.0)


def _unbilled(finance: Finance) -> Iterator[Metric]:
    aged, minutes, unbilled = Counter[Named](), Counter[Named](), Counter[Named]()
    for (region, currency, day), micros in finance.named("unbilled_amount"):
        aged[region, currency, _age(day, finance)] += micros
        unbilled[region, currency, "charged"] += micros
    for (region, day), n in finance.named("unbilled_minutes"):
        minutes[region, _age(day, finance)] += n
    for (engagement, _, region), micros in finance.named("exception_amount"):
        unbilled[finance.region(engagement, region), finance.currency(engagement), "parked"] += micros
    yield _labelled("unbilled_amount", unbilled, 1e6)
    yield _labelled("wip_amount", aged, 1e6)
    yield _labelled("wip_minutes", minutes)


def _labelled(name: str, found: Counter[Named], scale: float = 1) -> Metric:
    """A gauge with a value for each set of labels; amounts come in millionths."""
    family = gauge(name)
    for labels, n in sorted(found.items()):
        family.add_metric(labels, n / scale)
    return family


def _age(day: str, finance: Finance) -> str:
    return AGE_BUCKETS[age_bucket((finance.today - date.fromisoformat(day)).days)]


def _exceptions(finance: Finance) -> Iterator[Metric]:
    subjects, minutes, amounts, since = Counter[Named](), Counter[Named](), Counter[Named](), dict[Named, int]()
    for (_, code, region), n in finance.named("exceptions"):
        subjects[code, region or UNKNOWN] += n
    for (_, code, region), n in finance.named("exception_minutes"):
        minutes[code, region or UNKNOWN] += n
    for (engagement, code, region), micros in finance.named("exception_amount"):
        amounts[code, region or UNKNOWN, finance.currency(engagement)] += micros
    for (code, region, minute), _ in finance.named("exception_since"):
        key = code, region or UNKNOWN
        since[key] = min(int(minute), since.get(key, int(minute)))
    ages = {key: max(finance.now_ms / 1000 - minute * 60, 0.0) for key, minute in since.items()}
    yield _labelled("exceptions_open", subjects)
    yield _labelled("exceptions_minutes", minutes)
    yield _labelled("exceptions_amount", amounts, 1e6)
    oldest = gauge("exceptions_oldest_age_seconds")
    for labels, age in sorted(ages.items()):
        oldest.add_metric(labels, age)
    yield oldest
    warnings = gauge("warnings_open")
    for (code,), n in sorted(finance.named("warnings")):
        warnings.add_metric((code,), n)
    yield warnings


def _utilization(finance: Finance) -> Iterator[Metric]:
    this_monday = (finance.today - timedelta(days=finance.today.weekday())).isoformat()
    worked = [(parts, n) for parts, n in finance.named("worked") if parts[0] <= this_monday]
    newest = date.fromisoformat(max((parts[0] for parts, _ in worked), default=this_monday))
    first = date.fromordinal(max(newest.toordinal() - 7 * (WEEKS - 1), 1)).isoformat()  # 1 is 0001-01-01
    consultants = finance.masters.consultants
    capacity, minutes = Counter[str](), Counter[tuple[str, str]]()
    for each in consultants.values():
        capacity[each.region] += WEEKS * (each.weekly_capacity_minutes or 0)
    for (monday, consultant, work), n in worked:
        if monday >= first:
            region = consultants[consultant].region if consultant in consultants else UNKNOWN
            minutes[region, work] += n
    shown = {"worked_minutes": gauge("worked_minutes"), "capacity_minutes": gauge("capacity_minutes")}
    for labels, n in sorted(minutes.items()):
        shown["worked_minutes"].add_metric(labels, n)
    ratio = gauge("utilization_ratio")
    for region, n in sorted(capacity.items()):
        shown["capacity_minutes"].add_metric((region,), n)
        if n:
            ratio.add_metric((region,), minutes[region, "billable"] / n)
    yield from (*shown.values(), ratio)


def _ready(finance: Finance) -> Iterator[Metric]:
    for name in ("ready_charges", "unposted_charges"):
        family = gauge(name)
        family.add_metric((), finance.sums[name,])
        yield family
    currencies = sorted({currency for (currency,), _ in finance.named("ready_amount")})
    for name in ("ready_amount", "unposted_amount"):
        family = gauge(name)
        for currency in currencies:
            family.add_metric((currency,), finance.sums[name, currency] / 1e6)
        yield family
