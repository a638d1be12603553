"""The package's exception."""

from training_hub.errors import HubError


class AccountError(HubError):
    """An account, a key or a gateway cannot be had or changed as asked; the message names it and the mend."""
