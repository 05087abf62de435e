"""The state of settle: groups of facts, the engine, and the masters snapshot."""
