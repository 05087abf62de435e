"""Sinks of ERPs: systems that post charges to a ledger."""
