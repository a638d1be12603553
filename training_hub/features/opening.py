"""The feature store that the settings ask for."""

from collections.abc import Mapping

from training_hub.config.settings import HubSettings
from training_hub.features.store import FeatureStore
from training_hub.opening import objects_url, store_options
from training_hub.storage.objects import open_store


def open_features(settings: HubSettings, environ: Mapping[str, str]) -> FeatureStore:
    """Beside the objects, or where `features.url` says.

    Raises:
        StorageError, SecretFileError: It cannot be opened.
    """
    url = settings.features.url or objects_url(settings)
    return FeatureStore(open_store(url, store_options(settings, environ)), precision=settings.features.precision)
