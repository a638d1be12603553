"""New bundles from the hub: fetched, verified, tried beside the one in use, taken over in one rename."""
