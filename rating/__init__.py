"""The billing rules of DOMAIN.md as pure functions: standard library only, no I/O and no clock."""
