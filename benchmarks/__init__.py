"""Measurements, each a command that prints its figures and the ratio it is about."""
