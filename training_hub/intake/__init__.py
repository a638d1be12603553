"""What gateways send: clips, events, reports. Bad input is refused and leaves nothing."""
