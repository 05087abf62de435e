"""A few records of Tock, as it has them: a week of one person on one project."""

from tests.unit.tables.stream import Line

AT = "2015-04-06T14:09:33.703Z"
FILLED: dict[str, dict[str, object]] = {  # what Tock always has and these tests never look at
    "users": {"username": "ada.l", "is_active": True},
    "projects": {"mbnumber": "", "description": "", "active": True, "notes_required": False, "notes_displayed": False},
    "reporting_periods": {"exact_working_hours": 40, "min_working_hours": 40, "max_working_hours": 60, "message": ""},
    "timecards": {"submitted": True, "created": AT, "modified": AT},
    "lines": {"notes": "", "created": AT, "modified": AT},
}
WEEK: list[tuple[str, dict[str, object]]] = [
    ("agencies", {"id": 1, "name": "Peace Corps"}),
    ("accounting_codes", {"id": 5, "code": "C5", "office": "East", "agency": 1, "billable": True, "flat_rate": False}),
    ("projects", {"id": 2, "name": "Maps", "accounting_code": 5}),
    ("reporting_periods", {"id": 3, "start_date": "2015-04-05", "end_date": "2015-04-11"}),
    ("timecards", {"id": 7, "user": 9, "reporting_period": 3}),
]
USER: tuple[str, dict[str, object]] = ("users", {"id": 9, "first_name": "Ada", "last_name": "L"})
GRADE: tuple[str, dict[str, object]] = ("grades", {"id": 33, "employee": 9, "grade": 13, "g_start_date": "2014-10-07"})
LINE: tuple[str, dict[str, object]] = ("lines", {"id": 48, "timecard": 7, "project": 2, "hours_spent": "36.03"})


def as_line(entity: str, value: dict[str, object]) -> Line:
    """A record as a line of a facts file, filled up."""
    return {"topic": f"source.tock.{entity}", "key": str(value["id"]), "value": FILLED.get(entity, {}) | value}
