"""The settle agent itself, with its masters, on entries of the same generator."""
