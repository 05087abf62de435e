"""A fuzz of every process: extreme and malformed records between good ones, on every topic that something reads."""
