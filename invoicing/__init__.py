"""Sinks of billing: the projection of charges, invoices made of it, and their documents."""
