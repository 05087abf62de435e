"""Proofs of the ledger: audit statements, reconciliation, hash chains."""
