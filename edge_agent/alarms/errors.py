"""The one exception of the package."""


class AlarmError(Exception):
    """Something cannot be done to an alarm; the message names the alarm, the state it is in and the mend."""
