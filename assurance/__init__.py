"""What proves the ledger: audit statements, reconciliation, hash chains."""
