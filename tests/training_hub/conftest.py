"""What the hub's tests share."""

from tests.support.hub_fixtures import ceph, hub, postgres

__all__ = ["ceph", "hub", "postgres"]
