"""Billing applications with JSON over HTTP, described by a mapping file; see `sinks.http.mapping`."""
