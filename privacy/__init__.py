"""The vault of per-person keys: what seals personal data on its way to a topic, opens it to people, and erases it."""
