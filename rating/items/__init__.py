"""Expenses, milestones, outcomes and fees (DOMAIN section 2)."""
