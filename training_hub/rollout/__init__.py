"""From an approved bundle to every gateway: what people signed, who gets it when, what stops it."""
