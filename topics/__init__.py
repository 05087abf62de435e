"""The catalogue of topics: declarations, keys and identities; only `create` talks to a broker."""
