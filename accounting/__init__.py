"""Journal entries, parity of journals, revenue recognition and the close of a month."""
