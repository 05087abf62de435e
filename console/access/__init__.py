"""Authentication, authorization and the audit of the console."""
