"""The section `logger`: loggers of Lightning's by `_target_`, each under a name of its own."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from nsmc.config.keys import NAMED, SparseSection
from nsmc.config.targets import Target
from nsmc.training.targets import TARGET

# What a run writes into its own folder; of a record no others are built.
OWN = {
    "tensorboard": {TARGET: "nsmc.training.tensorboard.Curves"},
    "csv": {TARGET: "pytorch_lightning.loggers.CSVLogger"},
}


def _as_target(value: Any) -> Any:
    return None if value is False else value


Logger = Annotated[Target | None, BeforeValidator(_as_target)]


class LoggerConfig(SparseSection):
    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, Logger]

    tensorboard: Logger = None
    csv: Logger = None
    mlflow: Logger = None
    wandb: Logger = None

    @property
    def chosen(self) -> Mapping[str, Mapping[str, Any]]:
        """The loggers by name."""
        return {name: spec for name, spec in self.model_dump().items() if spec}


def with_own_loggers(values: Any) -> Any:
    """The section with `csv: true` written out, as it was once said and still may be."""
    if not isinstance(values, Mapping):
        return values
    for name, it in values.items():
        if isinstance(it, Mapping) and it and TARGET not in it:
            message = (
                f"logger.{name}: arguments ({', '.join(map(str, it))}) without a logger: choose it "
                f"with logger={name}, or by logger.{name}.{TARGET}=package.module.Class"
            )
            raise PydanticCustomError(NAMED, "{message}", {"message": message})
    return {name: OWN.get(name, it) if it is True else it for name, it in values.items()}


AnyLoggerConfig = Annotated[LoggerConfig, BeforeValidator(with_own_loggers)]
