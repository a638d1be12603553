"""Alarms as people meet them: their life cycle by ANSI/ISA-18.2, and what of it outlives the agent."""
