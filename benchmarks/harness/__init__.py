"""The harness: the stack, the load, the processes, the check of every output, the figures and the report."""
