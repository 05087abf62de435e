"""Queries of the read models: plain functions of a cursor that return dataclasses."""
