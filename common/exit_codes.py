"""TODO common.exit_codes."""

EXIT_FENCED, EXIT_CRASHED = 71, 70
