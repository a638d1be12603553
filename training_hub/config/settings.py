"""All settings of the hub."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from edge_agent.settings.whole import StrictSettings
from training_hub.config.accounts import AccountsSection
from training_hub.config.compute import ComputeSection
from training_hub.config.features import FeaturesSection
from training_hub.config.jobs import JobsSection
from training_hub.config.log import LogSection
from training_hub.config.mlflow import MlflowSection
from training_hub.config.mqtt import BrokerSection
from training_hub.config.retention import RetentionSection
from training_hub.config.rollout import RolloutSection
from training_hub.config.server import ServerSection
from training_hub.config.sounds import SoundsSection
from training_hub.config.storage import StorageSection


class HubSettings(StrictSettings):
    """All settings of the hub."""

    model_config = SettingsConfigDict(env_prefix="TRAINING_HUB__")

    server: ServerSection = Field(default=ServerSection(), description="Where the hub listens.")
    storage: StorageSection = Field(default=StorageSection(), description="The database and the object store.")
    retention: RetentionSection = Field(
        default=RetentionSection(), description="How long the hub keeps what grows by itself."
    )
    sounds: SoundsSection = Field(default=SoundsSection(), description="What people may upload.")

    jobs: JobsSection = Field(default=JobsSection(), description="Work that takes longer than a request.")
    compute: ComputeSection = Field(default=ComputeSection(), description="Where work is spread to.")
    mlflow: MlflowSection = Field(default=MlflowSection(), description="Copies of retrainings in MLflow.")
    features: FeaturesSection = Field(default=FeaturesSection(), description="Log-mel frames of clips, computed once.")

    rollout: RolloutSection = Field(default=RolloutSection(), description="Signatures and stages of rollouts.")
    accounts: AccountsSection = Field(
        default=AccountsSection(), description="Sessions of people, and how often anybody may ask."
    )
    mqtt: tuple[BrokerSection, ...] = Field(
        default=(), strict=False, max_length=16, description="Brokers that the hub hears gateways' events by."
    )
    log: LogSection = Field(default=LogSection(), description="What is written to standard error.")
