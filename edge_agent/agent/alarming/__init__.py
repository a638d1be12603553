"""From what is wrong now to alarms that are kept, told and counted."""
