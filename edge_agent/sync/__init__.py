"""The gateway's side of the hub: clips and events go up, approved bundles come down."""
