"""Files that people export from upstream systems: read, recognised, tried row by row, and made source records."""
