"""Generators of documents, run by a person or a test."""
