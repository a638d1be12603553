"""What the hub knows: gateways, machines, clips, events, labels, runs, bundles, rollouts."""
