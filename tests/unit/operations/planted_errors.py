"""Forty errors to plant into the sample firm, each in a cell of its own, of every kind that people make."""

from typing import NamedTuple


class Planted(NamedTuple):
    """A value to write into a cell; `named` is the cell that the check must name."""

    sheet: str
    cell: str
    value: object

    @property
    def named(self) -> str:
        """The place as a check tells it."""
        return f"{self.sheet}!{self.cell}"


PLANTED = (
    Planted("Clients", "C2", "Germany"),
    Planted("Clients", "B3", None),
    Planted("Clients", "D3", "Europe"),
    Planted("Clients", "I3", "NO-SUCH-CARD"),
    Planted("Clients", "N2", "never"),
    Planted("Clients", "E4", "POUND"),
    Planted("Clients", "K4", None),
    Planted("Clients", "H5", "thirty"),
    Planted("Clients", "M5", "ZZ"),
    Planted("Legal entities", "E2", None),
    Planted("Consultants", "D2", "full time"),
    Planted("Consultants", "C4", "Mars"),
    Planted("Grades", "B2", "1.1.2025"),
    Planted("Grades", "C4", None),
    Planted("Grades", "A5", "cloe"),
    Planted("Engagements", "B2", "BAUWRK"),
    Planted("Engagements", "O2", 150),
    Planted("Engagements", "Q2", "stop"),
    Planted("Engagements", "D3", "01/02/2026"),
    Planted("Engagements", "AC3", -5),
    Planted("Engagements", "G4", "hourly"),
    Planted("Engagements", "T4", "sideways"),
    Planted("Engagements", "S4", 0),
    Planted("Engagements", "H5", None),
    Planted("Engagements", "F5", "NORD-XX"),
    Planted("Milestone terms", "D2", "a lot"),
    Planted("Milestone terms", "B3", None),
    Planted("Tasks", "B2", "BAUWERK-ERPP"),
    Planted("Tasks", "F3", "maybe"),
    Planted("Tasks", "E4", "31.12.2026"),
    Planted("Rate lines", "B2", "1,40"),
    Planted("Rate lines", "C3", None),
    Planted("Rate lines", "H4", "week"),
    Planted("Rate lines", "E5", "nobody"),
    Planted("Expense rules", "D3", "180 GBP"),
    Planted("Tax rules", "C2", "X"),
    Planted("Fx rates", "D2", 0),
    Planted("Time entries", "F2", 7.5),
    Planted("Time entries", "E3", "yesterday"),
    Planted("Time entries", "A4", "2"),
)
