"""A second reading of docs/DOMAIN.md, for tests only: naive, from the text alone, without anything of `rating/`.

It takes records in arrival order and gives the ledger. Indexes, caches, scopes and the fast path are all absent here.
"""
