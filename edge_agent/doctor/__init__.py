"""`edge-agent doctor`: looks at everything the agent depends on and says what to do."""
