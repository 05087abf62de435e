"""What an entry costs every process, measured, and what that comes to at the end of a firm's month."""
