"""Questions to the read models: plain functions of a cursor, answered with dataclasses."""
