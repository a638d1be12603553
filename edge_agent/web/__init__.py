"""The gateway's page: what the agent hears, shown to people nearby and on their phones."""
