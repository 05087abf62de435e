"""The rules reference, docs/rules.md: the law of docs/DOMAIN.md beside the code that decides it, both ways."""
