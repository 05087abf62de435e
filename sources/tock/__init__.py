"""Tock's data as 18F published it (README.md), its records as they go onto `source.tock.*`, its lines counted."""
