"""Time entries: checks, rounding, rates, retainers, caps and amounts (DOMAIN section 2)."""
