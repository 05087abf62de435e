"""Upstream systems: declarative mappings of their records onto the canonical topics, and the engine of intake."""
