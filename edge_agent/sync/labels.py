"""Labels after a clip was sent: those given on the gateway go up, those given at the hub come down."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import edge_agent
from edge_agent.clips.errors import ClipError
from edge_agent.clips.sidecar import OperatorLabel, Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.sync.client import HubClient
from edge_agent.sync.errors import ItemRefusedError
from edge_agent.sync.marks import SyncMarks
from edge_agent.sync.stats import SyncBooks
from edge_agent.sync.wire import ClipRecord, SharedLabel

_log = logging.getLogger(__name__)


class LabelPost:
    """Carries labels both ways. For one thread.

    Args:
        store: The clips.
        marks: Which labels the hub knows.
        client: The hub.
        books: What is counted.
    """

    def __init__(self, store: ClipStore, marks: SyncMarks, client: HubClient, books: SyncBooks) -> None:
        self._store = store
        self._marks = marks
        self._client = client
        self._books = books

    def send(self) -> None:
        """Tell the hub of every label that changed here since the clip was sent.

        Raises:
            HubError: Not now.
            ClipError, SyncError: The gateway's own disk refuses it.
        """
        told = self._marks.labels_told()
        for clip_id, label in self._store.labels_at_hub().items():
            if told.get(clip_id) == label:
                continue
            try:
                sidecar = self._store.find(clip_id)
                self._client.put_record(ClipRecord(sidecar=sidecar, agent_version=edge_agent.__version__))
                self._books.records += 1
            except ItemRefusedError as error:
                _log.warning("the hub does not take the label of clip %s: %s", clip_id, error)
            except ClipError as error:
                if error.failure is not None:
                    raise
                continue  # it is gone
            self._marks.told(clip_id, None if sidecar.label is None else sidecar.label.label)

    def take(self, labels: Iterable[SharedLabel]) -> None:
        """Write labels of the hub into the sidecars; where a person here has said something later, that stays.

        Raises:
            ClipError, SyncError: The gateway's own disk refuses it.
        """
        for shared in labels:
            try:
                clip = self._store.change(shared.clip, lambda clip, shared=shared: _labelled(clip, shared))  # type: ignore[misc]
            except ClipError as error:
                if error.failure is not None:
                    raise
                continue  # given up for room here; the hub has it
            if clip.label == _label(shared):
                self._marks.told(shared.clip, shared.label)
                self._books.labels_taken += 1


def _label(shared: SharedLabel) -> OperatorLabel:
    return OperatorLabel(label=shared.label, operator=shared.operator, at=shared.at)


def _labelled(clip: Sidecar, shared: SharedLabel) -> Sidecar:
    if clip.label is not None and clip.label.at > shared.at:
        return clip
    return clip.model_copy(update={"label": _label(shared)})
