"""What a check says beside faults: what the data would mean."""

from dataclasses import dataclass
from typing import Any, Literal

from sources.workbook.problems import Place

FindingKind = Literal["cannot_bill", "not_reached", "invoice"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A consequence of sound records that a person would not want: where it comes from, and the remedy."""

    kind: FindingKind
    about: str
    what: str
    remedy: str
    place: Place | None = None

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.about}: {self.what}; {self.remedy}"

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"kind": self.kind, "about": self.about, "what": self.what, "remedy": self.remedy,
                "cell": str(self.place) if self.place else None}  # fmt: skip
