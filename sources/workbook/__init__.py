"""A firm's own data as people keep it: a workbook, CSV files or JSON lines, laid out by the contracts."""
