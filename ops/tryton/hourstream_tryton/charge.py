"""`hourstream.charge`: every charge that Tryton holds, once, with the invoice line that bills it."""

from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.modules.currency.fields import Monetary

from .only_once import Once, OnlyOnceMixin


class Charge(OnlyOnceMixin, ModelSQL, ModelView):
    """A charge or reversal of Hourstream.

    Without a line it bills nothing (work that is not billable). A charge is released when its invoice is cancelled,
    and only then may it be sent again. No user may change or delete one (access.xml).
    """

    __name__ = "hourstream.charge"
    _rec_name = "charge_id"
    _only_once = (
        Once(
            "hourstream_charge_once",
            "charge_id",
            "released_at IS NULL",
            "A charge of Hourstream is here already: no charge is taken twice.",
        ),
    )

    charge_id = fields.Char("Charge", required=True)
    reverses = fields.Char("Reverses")
    engagement = fields.Char("Engagement", required=True)
    subject = fields.Char("Subject", required=True)
    company = fields.Many2One("company.company", "Company", required=True, ondelete="RESTRICT")
    work_date = fields.Date("Work Date", required=True)
    worked_minutes = fields.Integer("Worked Minutes", required=True)
    billable_minutes = fields.Integer("Billable Minutes", required=True)
    currency = fields.Many2One("currency.currency", "Currency", required=True, ondelete="RESTRICT")
    amount = Monetary("Amount", currency="currency", digits="currency", required=True)
    line = fields.Many2One("account.invoice.line", "Invoice Line", ondelete="RESTRICT")
    released_at = fields.DateTime("Released at", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_indexes.update(
            {
                Index(table, (table.charge_id, Index.Equality(cardinality="high"))),
                Index(table, (table.line, Index.Equality(cardinality="high"))),
            }
        )
