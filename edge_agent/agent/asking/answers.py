"""Answers to commands, kept so that the same command is carried out once and answered alike again."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.agent.asking.audit import AuditEntry
from edge_agent.delivery.commands import CommandReply, Refusal, Verb

REMEMBERED = 4096
"""At the rate that is let through, more than come while a command is young enough to be carried out."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and what it was to.

    Attributes:
        reply: The answer.
        about: Which alarm was meant; None for a command about none.
        issued_at: When the command was given.
    """

    reply: CommandReply
    about: str | None
    issued_at: str | None


class Answers:
    """The last answers that depend on when they were given: what was done, and what the alarm's state refused.

    Args:
        former: The audit log: answers of a former life.
    """

    def __init__(self, former: Iterable[AuditEntry]) -> None:
        self._answers: OrderedDict[str, Answered] = OrderedDict()
        for entry in former:
            try:
                self.remember(Answered(_reply(entry), entry.about, entry.issued_at))
            except ValueError:
                continue  # of another version, or of another hand: no answer of ours

    def of(self, command_id: str) -> Answered | None:
        """The answer to a command, if it was given."""
        return self._answers.get(command_id)

    def remember(self, answered: Answered) -> None:
        """Keep an answer, if it may not be given anew."""
        reply = answered.reply
        if reply.id is None or not (reply.outcome == "done" or reply.refusal is Refusal.STATE):
            return
        self._answers[reply.id] = answered
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)


def _reply(entry: AuditEntry) -> CommandReply:
    return CommandReply(
        id=entry.id,
        verb=None if entry.verb is None else Verb(entry.verb),
        outcome=entry.outcome,
        refusal=None if entry.refusal is None else Refusal(entry.refusal),
        text=entry.text,
        state=entry.state,
        at=entry.at,
    )
