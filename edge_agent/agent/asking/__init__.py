"""What people and programs may ask of a running agent, the ways in, and the audit log."""
