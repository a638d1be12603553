"""The audit log: who did what, in the transaction in which it was done."""

from typing import Any

from sqlalchemy.orm import Session

from training_hub.catalogue.tables import AuditEntry


def record(  # noqa: PLR0917  # the sentence it writes: who did what to what
    session: Session,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """Write an entry; it stands or falls with the caller's transaction.

    Args:
        session: The transaction of the deed.
        actor: `Person.actor`, `GatewayPrincipal.actor`, or `hub`.
        action: `clip.label`, `rollout.halt`, ...
        subject: `clip:01J...`, `user:anna`, ...
        detail: What else is worth knowing; never a secret.
        address: Where the request came from.
    """
    session.add(
        AuditEntry(actor=actor[:160], action=action, subject=subject[:160], detail=detail or {}, address=address)
    )
