"""Real parts that tests start: sound servers, brokers."""
