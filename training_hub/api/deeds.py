"""Who does what a request changes, for the audit log."""

from training_hub.accounts.principal import Person
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.types import utc_now


def deed_of(person: Person, address: str) -> Deed:
    """The person, now."""
    return Deed(person.actor, utc_now(), address)
