"""The catalogue of topics: declarations, keys and identities; nothing here talks to a broker but `create`."""
