"""Exit statuses of a worker: fenced by another process, or failed."""

EXIT_FENCED, EXIT_CRASHED = 71, 70
