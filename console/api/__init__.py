"""The HTTP API for machines, under `/api/v1`."""
