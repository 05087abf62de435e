"""The measured cost of an entry in every process, and the resulting needs of a firm's month end."""
