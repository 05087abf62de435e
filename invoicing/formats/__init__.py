"""Invoice documents in the formats of EN 16931, and as PDF."""
