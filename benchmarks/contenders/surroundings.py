"""The interface of harness and contender: settings by environment, results by log."""

import os
from dataclasses import dataclass
from pathlib import Path

PREFIX = "BENCH_WORKER_"


@dataclass(frozen=True)
class Surroundings:
    """The topics, address and state folder of a contender. Topic names and `app` are new in every run."""

    broker: str
    app: str
    input: str
    output: str
    changelog: str
    state: Path
    masters: Path

    @classmethod
    def load(cls) -> "Surroundings":
        """From the environment; KeyError if the harness did not start this process."""
        given = {name: os.environ[PREFIX + name.upper()] for name in cls.__annotations__}
        return cls(**{**given, "state": Path(given["state"]), "masters": Path(given["masters"])})  # type: ignore[arg-type]

    def environment(self) -> dict[str, str]:
        """The variables `load` reads."""
        return {PREFIX + name.upper(): str(value) for name, value in vars(self).items()}
