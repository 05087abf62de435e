"""Records payments in Tryton with its own wizard, over JSON-RPC, because REST has no wizards."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from sinks.tryton.client import TrytonRefused
from sinks.tryton.invoices import TrytonInvoice
from sinks.tryton.rpc import TrytonRpc

_WIZARD = "wizard.account.invoice.pay"


class TrytonPayments:
    """Payments of posted invoices."""

    def __init__(self, rpc: TrytonRpc) -> None:
        self._rpc = rpc

    def pay(self, invoice: TrytonInvoice, reference: str, on: date, amount: Decimal | None = None) -> bool:
        """Record a payment of `amount`, or of all that is open; true if it was not recorded before.

        `reference` is the payment's own (of the bank, for example) and is looked up first: a payment offered again is
        one payment. Raises Refused, TargetUnavailable; after the latter it may or may not be recorded.
        """
        where = {"company": invoice.company, "_skip_warnings": True}
        if self._is_there(invoice, reference, where):
            return False
        row = self._rpc.call("model.account.invoice.read", [invoice.id], ["state", "amount_to_pay"], context=where)[0]
        paid = row["amount_to_pay"] if amount is None else amount
        if row["state"] != "posted":
            raise TrytonRefused(f"{invoice.reference} is {row['state']}: only a posted invoice is paid")
        self._record(invoice, reference, on, paid, where)
        return True

    def _is_there(self, invoice: TrytonInvoice, reference: str, where: Mapping[str, object]) -> bool:
        domain = [["origin", "=", f"account.invoice,{invoice.id}"], ["description", "=", reference]]
        return bool(self._rpc.call("model.account.move.search", domain, 0, 1, None, context=where))

    def _record(
        self, invoice: TrytonInvoice, reference: str, on: date, amount: Decimal, where: Mapping[str, object]
    ) -> None:
        context = {
            **where,
            "active_model": "account.invoice",
            "active_id": invoice.id,
            "active_ids": [invoice.id],
            "action_id": None,
        }
        session, state, _ = self._rpc.call(f"{_WIZARD}.create", context=where)
        try:
            view = self._rpc.call(f"{_WIZARD}.execute", session, {}, state, context=context)["view"]
            start = {**_fields(view["defaults"]), "amount": amount, "date": on, "description": reference}
            start["payment_method"] = self._method(invoice, where)
            step = self._rpc.call(f"{_WIZARD}.execute", session, {"start": start}, "choice", context=context)
            if "view" in step:  # less than the open amount: the rest stays open
                ask = {**_fields(step["view"]["defaults"]), "type": "partial"}
                self._rpc.call(f"{_WIZARD}.execute", session, {"start": start, "ask": ask}, "pay", context=context)
        finally:
            self._rpc.call(f"{_WIZARD}.delete", session, context=where)

    def _method(self, invoice: TrytonInvoice, where: Mapping[str, object]) -> int:
        found = self._rpc.call(
            "model.account.invoice.payment.method.search",
            [["company", "=", invoice.company]], 0, 1, [["id", "ASC"]], context=where,
        )  # fmt: skip
        if not found:
            raise TrytonRefused("Tryton has no payment method of that company: add one there")
        return int(found[0])


def _fields(defaults: Mapping[str, object]) -> dict[str, object]:
    """A form's values; those that end in a point are names of records, for a person to read."""
    return {name: value for name, value in defaults.items() if not name.endswith(".")}
