"""What the settings of a whole program share: the same strictness, and only one way in."""

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class StrictSettings(BaseSettings):
    """All settings of a program: frozen, typed strictly, and without unknown keys.

    Built in code they read nothing but their arguments; `edge_agent.settings.load` brings in the file and the
    environment. A program adds its `env_prefix`.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        env_nested_delimiter="__",
        protected_namespaces=(),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the arguments: which environment counts is `load`'s to say."""
        return (init_settings,)
