"""Small sentiment classifiers on Korean reviews: trained by configuration, tiny to ship.

    from nsmc import Predictor

    predictor = Predictor.load()  # the bundle that comes with the package, or load(FOLDER)
    predictor(["정말 재미있어요"])

Importing this package imports nothing else: training lives in `nsmc.training` (torch), the use of a
trained bundle in `nsmc.runtime` (numpy, tokenizers and safetensors alone).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nsmc.runtime.predictor import Prediction, Predictor

__version__ = "0.1.0"
__all__ = ["Prediction", "Predictor", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("Prediction", "Predictor"):
        from nsmc.runtime import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
