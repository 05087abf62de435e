"""The chart of accounts: the numbers of the ledger's accounts, said once."""

RECEIVABLES = "1210"
UNBILLED = "1220"
DEFERRED = "2400"
REVENUE = "4000"
