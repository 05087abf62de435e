"""State of the advisories agent: entries by engagement, time by person, and the warnings published (rule 16)."""
