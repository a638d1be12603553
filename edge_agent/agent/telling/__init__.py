"""What was heard, on its way to brokers, metrics and health."""
