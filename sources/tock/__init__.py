"""Tock's data as 18F published it (README.md): its records for `source.tock.*`, and the count of its lines."""
