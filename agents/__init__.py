"""The processes of the application, one file each: decode, call a rule, publish."""
