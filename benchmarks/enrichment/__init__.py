"""The enrichment job, the same for every contender: its contracts, its masters, its load and its rule."""
