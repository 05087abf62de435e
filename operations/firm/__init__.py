"""A firm's own data: what it would mean, what it changes, and how it gets onto the topics."""
