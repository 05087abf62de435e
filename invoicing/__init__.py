"""Invoicing: the projection of charges, drafts, invoice runs, statuses and documents."""
