"""Events, the outbox and MQTT."""
