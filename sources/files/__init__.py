"""Exported files of upstream systems: read, recognised, dry-run row by row, and made into source records."""
