"""`[mlflow]`: copies of retrainings for those who keep an MLflow."""

from pydantic import Field

from edge_agent.settings.base import Section


class MlflowSection(Section):
    """Copies of retrainings for those who keep an MLflow; the hub's own tables stay the truth. Needs the extra."""

    tracking_uri: str | None = Field(
        default=None,
        description="Where runs are copied to; unset: nowhere.",
        examples=["http://mlflow.example.org:5000", "sqlite:////srv/mlflow/mlflow.db"],
    )
    experiment: str = Field(default="training-hub", min_length=1, max_length=128, description="Name of the experiment.")
