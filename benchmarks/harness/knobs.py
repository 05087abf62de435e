"""Settings of a benchmark run, from the environment."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Knobs:
    """`BENCH_` and the field's name in capitals is the variable; seconds, records and records a second."""

    records: int = 300_000  # of the measured backlog, for the fastest contenders
    warmup: int = 200_000  # records processed before it
    rounds: int = 3  # A B A B ...: every contender once a round
    contenders: str = ""  # names with commas between; empty: all
    seed: int = 7
    latency_rate: int = 2_000
    latency_seconds: int = 20  # 0: no latency
    restore: int = 1  # 0: no restore
    subjects: int = 1_000_000  # settled before settle's restore, restart and memory are taken; 0: not at all

    @classmethod
    def load(cls) -> "Knobs":
        """From the environment; ValueError names a variable that is no number."""
        given: dict[str, object] = {}
        for name, kind in cls.__annotations__.items():
            text = os.environ.get(f"BENCH_{name.upper()}")
            if text:
                try:
                    given[name] = kind(text)
                except ValueError:
                    raise ValueError(f"BENCH_{name.upper()} is {text!r}, not a number") from None
        return cls(**given)  # type: ignore[arg-type]

    def wanted(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `names` that are to run; ValueError for one that is not among them."""
        chosen = tuple(name.strip() for name in self.contenders.split(",") if name.strip()) or names
        if unknown := set(chosen) - set(names):
            raise ValueError(f"BENCH_CONTENDERS: no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        return chosen
