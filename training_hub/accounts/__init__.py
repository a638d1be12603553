"""Who may do what: people, gateways, roles, keys, sessions."""
