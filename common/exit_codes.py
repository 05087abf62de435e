"""Exit statuses: of commands (docs/operating.md lists them), and of a worker that is fenced or failed."""

EXIT_REFUSED = 1
"""Input was refused, a statement is false, or the command could not be done; the message says which."""
EXIT_NOTHING_RUNS = 3
EXIT_PART_DOWN = 4
EXIT_FENCED, EXIT_CRASHED = 71, 70
