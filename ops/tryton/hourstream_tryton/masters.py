"""What of Tryton stands for a master of Hourstream: found by `hourstream_id`, which a person may set too."""

from trytond.model import Unique, fields
from trytond.pool import PoolMeta


class HourstreamIdMixin:
    """A record that stands for one of Hourstream's; the id says of what: `client:C-1`, `labor-category:Senior`."""

    __slots__ = ()
    hourstream_id = fields.Char("Hourstream ID", help="What of Hourstream this record stands for, such as client:C-1.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [
            ("hourstream_id_unique", Unique(table, table.hourstream_id), "hourstream.msg_hourstream_id_unique")
        ]

    @classmethod
    def copy(cls, records, default=None):
        return super().copy(records, default={"hourstream_id": None, **(default or {})})


class Party(HourstreamIdMixin, metaclass=PoolMeta):
    __name__ = "party.party"


class Product(HourstreamIdMixin, metaclass=PoolMeta):
    __name__ = "product.product"


class Category(HourstreamIdMixin, metaclass=PoolMeta):
    __name__ = "product.category"


class PaymentTerm(HourstreamIdMixin, metaclass=PoolMeta):
    __name__ = "account.invoice.payment_term"


class Tax(metaclass=PoolMeta):
    __name__ = "account.tax"

    hourstream_category = fields.Selection(
        [
            (None, ""),
            ("S", "Standard rate"),
            ("Z", "Zero rated"),
            ("E", "Exempt"),
            ("AE", "Reverse charge"),
            ("O", "Outside the scope of tax"),
        ],
        "Hourstream Category",
        help="Charges of this EN 16931 category, and of this tax's rate, are taxed with it.",
    )
