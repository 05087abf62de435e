"""The needs of a firm's month end, calculated from the cost of an entry."""

from dataclasses import dataclass

from benchmarks.month_end.load import SOURCE
from benchmarks.month_end.measuring import Unit
from operations.all_topics import ONE_PARTITION_AGENTS

# For a rate that is corrected afterwards: settle decides once more, intake does nothing, and all others take in a
# reversal and a charge.
_RESTATED = {"settle": 1, f"intake-{SOURCE}": 0, "masters": 0}


@dataclass(frozen=True)
class Firm:
    """A firm, and how its month ends: `burst_share` of the month's entries are approved within `burst_hours`."""

    consultants: int
    entries_a_day: int = 3
    days: int = 21
    burst_share: float = 0.3
    burst_hours: float = 4.0

    @property
    def entries(self) -> int:
        """A month."""
        return self.consultants * self.entries_a_day * self.days

    @property
    def burst(self) -> float:
        """Entries a second while it lasts."""
        return self.entries * self.burst_share / (self.burst_hours * 3600)


@dataclass(frozen=True)
class Needs:
    """Cores in use by process during the burst; hours of delay after it with one core only."""

    firm: Firm
    entries: int
    burst_per_second: float
    cores: dict[str, float]
    cores_in_all: float
    behind: dict[str, float]
    core_hours_to_restate_a_month: float
    gigabytes_a_year: dict[str, float]


FIRMS = (Firm(10_000), Firm(400_000))


def needs(unit: Unit, firm: Firm) -> Needs:
    """The needs of the firm's month end, and the data of a year."""
    cores = {name: firm.burst * each / 1e6 for name, each in unit.microseconds.items()}
    alone = {name: each for name, each in cores.items() if name.startswith(ONE_PARTITION_AGENTS)}
    again = sum(each * _RESTATED.get(name, 2) for name, each in unit.microseconds.items())
    return Needs(
        firm=firm,
        entries=firm.entries,
        burst_per_second=firm.burst,
        cores=cores,
        cores_in_all=sum(cores.values()),
        behind={name: firm.burst_hours * (each - 1) for name, each in alone.items() if each > 1},
        core_hours_to_restate_a_month=firm.entries * again / 3.6e9,
        gigabytes_a_year={name: firm.entries * 12 * each / 1e9 for name, each in unit.bytes.items()},
    )
