"""Tryton as an ERP: charges become lines of draft invoices, each charge exactly once; docs/tryton.md."""
