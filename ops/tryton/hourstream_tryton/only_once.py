"""Unique among some of a table's rows: partial unique indexes, whose violation is a refusal with words (HTTP 400)."""

from typing import NamedTuple

from trytond import backend
from trytond.model.exceptions import SQLConstraintError
from trytond.transaction import Transaction


class Once(NamedTuple):
    """Columns that no two rows may have the same while `where` holds of both; all are SQL of this module's own."""

    index: str
    columns: str
    where: str
    words: str


class OnlyOnceMixin:
    """A model with `_only_once`.

    Tryton's own constraints are unique over all rows (`Unique`) or made of exclusions (`Exclude`), with which two
    transactions at once run into a deadlock instead of one waiting for the other.
    """

    __slots__ = ()
    _only_once: tuple[Once, ...] = ()

    @classmethod
    def __register__(cls, module_name):
        super().__register__(module_name)
        with Transaction().connection.cursor() as cursor:
            for once in cls._only_once:
                cursor.execute(
                    f"CREATE UNIQUE INDEX IF NOT EXISTS {once.index} ON {cls._table} ({once.columns})"
                    f" WHERE {once.where}"
                )

    @classmethod
    def create(cls, vlist):
        try:
            return super().create(vlist)
        except backend.DatabaseIntegrityError as error:
            for once in cls._only_once:
                if once.index in str(error):
                    raise SQLConstraintError(once.words) from error
            raise
