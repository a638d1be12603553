"""Spectrograms of clips, drawn when somebody looks; the last ones are kept, for pages show the same ones again."""

import threading
from collections import OrderedDict

from training_hub.catalogue.tables import Clip
from training_hub.sounds.reading import frames_of, picture_of
from training_hub.storage.objects import ObjectStore

_KEPT = 256
"""Some 20 kB each."""


class PictureShelf:
    """Draws and remembers. Any thread.

    Args:
        objects: Where the clips' files are.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._drawn: OrderedDict[str, bytes] = OrderedDict()

    def of(self, clip: Clip) -> bytes:
        """A clip's spectrogram as PNG.

        Raises:
            SoundError: Its file cannot be read.
            StorageError: The store does not give it.
        """
        with self._lock:
            known = self._drawn.get(clip.sha256)
        if known is not None:
            return known
        picture = picture_of(frames_of(self._objects.get(clip.sha256), clip.kind, name=clip.id))
        with self._lock:
            self._drawn[clip.sha256] = picture
            while len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        return picture
