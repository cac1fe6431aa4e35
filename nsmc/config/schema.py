"""The configuration's schema: every key, its type and its range, checked before any work begins.

The YAML files under configs/ choose the values; this file says which values make sense.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, Union, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from nsmc.config.keys import FOLLOWS, NAMED, NO_EFFECT, Keys, OnlyFor, Section, SparseSection
from nsmc.config.loggers import AnyLoggerConfig
from nsmc.config.search import SearchConfig
from nsmc.config.steps import (
    RecipeConfig,
    as_folder_name,
    check_recipe,
    without_null,
    without_unset,
)
from nsmc.config.targets import Target, named_or_target
from nsmc.config.trainer import PositiveInt, TrainerConfig
from nsmc.data.corpus import CorpusForm
from nsmc.data.splitting import SplitSettings
from nsmc.reading.file_format import COLUMN_SETTINGS, ENCODING_SETTINGS, FileFormat, Format, Quoting
from nsmc.reading.labels import LabelRules, label_text
from nsmc.runtime.bundle import LARGEST_MEMORY, MOST_TOKENS, Pooling, are_labels, memory_needed
from nsmc.runtime.encoders import ENCODERS, encoder_settings
from nsmc.runtime.encoders.settings import own_settings

Share = Annotated[float, Field(ge=0, lt=1)]
NETWORKS = OnlyFor(("classify", "pretrain"))
S = TypeVar("S", bound=Section)
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def _is_no_none(text: str) -> str:
    if text in ("None", "none", ""):
        raise ValueError("text, or null (which None is written as)")
    return text


def _at_home(path: str) -> str:
    """With `~` written out."""
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        raise ValueError(
            "a path; a ~ before a name stands for a user's folder, ./~ for itself"
        ) from None


def _is_set(value: str) -> str:
    if value in ("", "???"):  # the latter as OmegaConf writes a value that is still to be given
        raise PydanticKnownError("missing")
    return value


Folder = Annotated[str, AfterValidator(_is_set), AfterValidator(_at_home)]
# A path or name that may be missing.
Place = Annotated[str, AfterValidator(_is_no_none), AfterValidator(_at_home)] | None


def _problem(message: str) -> PydanticCustomError:
    """For a message that names the keys itself."""
    return PydanticCustomError(NAMED, "{message}", {"message": message})


def _as_label(value: Any) -> Any:
    """A label as text, as the readers have it."""
    if isinstance(value, bool):
        raise ValueError("in quotes: YAML reads yes and on as true, no and off as false")
    return label_text(value) if isinstance(value, str | int | float) else value


Label = Annotated[str, BeforeValidator(_as_label), AfterValidator(_is_set)]

# VALUE:LABEL, or in YAML's manner VALUE: LABEL, each also in quotes, up to a comma or the end.
_ITEM = r"""\s*("[^"]*"|'[^']*'|[^,:{}'"]+)\s*"""
_PAIR = re.compile(rf"{_ITEM}:{_ITEM}(?:,|$)")


def _as_label_map(value: Any) -> Any:
    """A mapping as it is or as text, which Hydra joins to no other one, of labels as text."""
    if not isinstance(value, str | Mapping):
        return value
    mapping: dict[str, str | None] = {}
    for of_value, of_label in value.items() if isinstance(value, Mapping) else _pairs(value):
        key = _of_map(of_value)
        if key is None:
            raise _problem("data.label_map: null is no value of a file; text is in quotes, 'null'")
        if key in mapping:
            raise _problem(f"data.label_map: {key!r} is there twice")
        mapping[key] = _of_map(of_label, f"{key!r}: ")
    return mapping


def _of_map(item: Any, of_key: str = "") -> str | None:
    """A value of the map, or the label of one, which messages name by its key."""
    try:
        label = _as_label(item)
    except ValueError as error:
        raise _problem(f"data.label_map: {of_key}{str(item).lower()} must be {error}") from None
    if label == "" or not isinstance(label, str | None):
        raise _problem(f"data.label_map: {of_key}{item!r} is no label")
    return label


def _pairs(typed: str) -> list[tuple[str | None, str | None]]:
    pairs, end = list[tuple[str | None, str | None]](), 1
    while typed[:1] == "{" and (pair := _PAIR.match(typed[:-1], end)):
        items = [item.strip() for item in pair.groups()]
        key, label = (None if i in ("null", "~") else i.strip("'\"") for i in items)
        pairs.append((key, label))
        end = pair.end()
    if not pairs or typed[end:] != "}":
        raise ValueError(
            "{VALUE:LABEL,VALUE:LABEL}, in quotes for the shell; a VALUE may be a range, 1-4"
        )
    return pairs


LabelMap = Annotated[dict[str, str | None], BeforeValidator(_as_label_map)]
# A name, or, where a file has no header, a position.
Column = Annotated[str, BeforeValidator(_as_label), AfterValidator(_is_set)]


def _are_weights(value: Any) -> Any:
    is_list = isinstance(value, list) and all(
        type(weight) in (int, float) and 0 < weight < math.inf for weight in value
    )
    if not (is_list or value in (None, "balanced")):
        raise ValueError("balanced, a list of a number above 0 for each label, or null")
    return value


ClassWeights = Annotated[Literal["balanced"] | list[float] | None, BeforeValidator(_are_weights)]


class RemoteFileConfig(Section):
    url: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DataConfig(Section):
    # Of files the content counts, as the corpus's fingerprint, and not what they are called.
    name: Annotated[str, NO_EFFECT]
    root: Annotated[Folder, NO_EFFECT]
    train_file: Annotated[str, AfterValidator(_is_set), NO_EFFECT]
    test_file: Annotated[str | None, NO_EFFECT]
    validation_file: Annotated[str | None, NO_EFFECT]
    remote_files: Annotated[dict[str, RemoteFileConfig] | None, NO_EFFECT]
    cache_dir: Annotated[Folder, NO_EFFECT]
    format: Format | None
    encoding: str
    header: bool
    delimiter: str | None
    quoting: Quoting | None
    text_column: Column
    label_column: Column | None
    id_column: Column | None
    group_column: Column | None
    skip_damaged: bool
    labels: list[Label] | None
    label_map: LabelMap | None
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    folds: Annotated[int, Field(ge=2)] | None
    fold: Annotated[int, Field(ge=0)] | None
    split_seed: Seed
    # 256 bytes and the padding are in every vocabulary.
    vocab_size: Annotated[int, Field(ge=257, le=1_000_000)]
    min_frequency: PositiveInt
    normalization: Literal["none", "nfc", "nfd", "nfkc", "nfkd"]
    tokenizer: Annotated[Place, NO_EFFECT]
    morphemes: bool
    bpe_dropout: Share
    bpe_samples: PositiveInt
    unlabelled: bool
    unlabelled_file: Annotated[str | None, NO_EFFECT]
    unlabelled_archive: Annotated[Place, NO_EFFECT]
    max_length: Annotated[int, Field(gt=0, le=MOST_TOKENS)]
    padding: Literal["longest", "fixed"]
    batch_size: PositiveInt
    eval_batch_size: PositiveInt
    shuffle: bool
    bucketing: bool

    @property
    def form(self) -> CorpusForm:
        how: dict[str, Any] = {
            name: int(column) if column and column.isdecimal() and not self.header else column
            for name in COLUMN_SETTINGS
            for column in [getattr(self, name)]
        }
        how |= self.model_dump(include={*ENCODING_SETTINGS})
        return CorpusForm(
            FileFormat(**how),
            LabelRules(tuple(self.labels) if self.labels else None, self.label_map),
            self.skip_damaged,
        )

    @property
    def split(self) -> SplitSettings:
        """Of a corpus with a test file no other test part."""
        has_test = self.test_file is not None
        return SplitSettings(
            self.validation_fraction,
            self.split_seed,
            None if has_test or self.folds else self.test_fraction,
            None if has_test else self.folds,
            None if has_test else self.fold,
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        try:
            self.form.labels.check()
        except ValueError as error:
            raise _problem(str(error)) from None
        if self.labels is not None and not are_labels(self.labels):
            raise _problem(
                f"data.labels={self.labels}: expected different names, two at least, to be printed"
            )
        if (self.folds is None) != (self.fold is None):
            raise _problem("data.folds and data.fold are set together, or neither")
        if self.folds is not None and self.fold is not None and self.fold >= self.folds:
            raise _problem(f"data.fold={self.fold}: data.folds={self.folds} are called 0 and on")
        if self.folds is not None and self.test_file is not None:
            raise _problem(
                "data.folds: a fold is the test part: set data.test_file=null or data.folds=null"
            )
        return self

    @property
    def own_archive(self) -> str | None:
        """The archive of unlabelled reviews, where it belongs to the files of this corpus.

        That is where these are published, and no others with them: a corpus whose configuration
        builds on another one's has inherited that one's addresses.
        """
        is_own = set(self.remote_files or {}) == {self.train_file, self.test_file}
        return self.unlabelled_archive if is_own else None


class _EncoderConfig(Section):
    architecture: str
    embedding_dim: Annotated[int, Field(ge=1, le=65_536)]
    embedding_rank: PositiveInt | None
    embedding_dropout: Share
    word_dropout: Share


class _HeadConfig(Section):
    pooling: Pooling
    output_dropout: Share


class _OptimizationConfig(Section):
    optimizer: named_or_target("adam", "adamw")  # type: ignore[valid-type]
    lr: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: named_or_target("constant", "one_cycle", "cosine")  # type: ignore[valid-type]


class _RegularizationConfig(Section):
    label_smoothing: Share
    r_drop: Annotated[float, Field(ge=0)]
    adversarial: Literal["none", "adversarial", "virtual"]
    adversarial_epsilon: Annotated[float, Field(gt=0)]


class ModelConfig(_RegularizationConfig, _OptimizationConfig, _HeadConfig, _EncoderConfig):
    """What all architectures share; `AnyModelConfig` has each with its own settings."""

    dropout: Share
    class_weights: Annotated[ClassWeights, OnlyFor(("classify",))]
    num_sampled: Annotated[PositiveInt, OnlyFor(("pretrain",))]

    def encoder(self) -> dict[str, Any]:
        """The settings of `TextEncoder`, without the vocabulary."""
        encoder = ENCODERS[self.architecture]
        own = (*own_settings(encoder), *encoder.training_shares)
        return self.model_dump(include={*_EncoderConfig.model_fields, *own})

    def classifier(self) -> dict[str, Any]:
        """The settings of `TextClassifier`, without the vocabulary."""
        return self.encoder() | self._part(_HeadConfig)

    def optimization(self) -> dict[str, Any]:
        return self._part(_OptimizationConfig)

    def regularization(self) -> dict[str, Any]:
        return self._part(_RegularizationConfig)

    def _part(self, part: type[Section]) -> dict[str, Any]:
        return self.model_dump(include={*part.model_fields})


def section_of(architecture: str) -> type[ModelConfig]:
    """The section `model` of an architecture: what all share, and its own settings."""
    encoder = ENCODERS[architecture]
    own: dict[str, Any] = {key: _as_in_yaml(value) for key, value in own_settings(encoder).items()}
    own |= dict.fromkeys(encoder.training_shares, Share)
    own["architecture"] = Literal[architecture]
    required: dict[str, Any] = {key: (annotation, ...) for key, annotation in own.items()}
    return create_model(f"ModelConfig_{architecture}", __base__=ModelConfig, **required)


def _are_ascending(numbers: list[int]) -> list[int]:
    if numbers != sorted(set(numbers)):
        raise ValueError("numbers in ascending order")
    return numbers


def _as_in_yaml(annotation: Any) -> Any:
    """The annotation of an encoder's setting, for pydantic."""
    if not hasattr(annotation, "__metadata__"):  # bool, or a Literal
        return annotation
    number, (low, high) = get_args(annotation)
    limits = Field(ge=low, le=high)
    if number in (int, float):
        return Annotated[number, limits]
    numbers = list[Annotated[int, limits]]
    return Annotated[numbers, Field(min_length=1), AfterValidator(_are_ascending)]


MODEL_CONFIGS = {architecture: section_of(architecture) for architecture in ENCODERS}

if TYPE_CHECKING:
    AnyModelConfig = ModelConfig
else:
    AnyModelConfig = Annotated[
        Union[tuple(MODEL_CONFIGS.values())],  # noqa: UP007 - of as many as there are
        Field(discriminator="architecture"),
    ]


class CheckpointConfig(Section):
    monitor: Literal["val/accuracy", "val/macro_f1", "val/f1", "val/auroc", "val/loss"]
    every_n_minutes: Annotated[Annotated[float, Field(gt=0)] | None, NO_EFFECT]


class EarlyStoppingConfig(Section):
    patience: PositiveInt | None
    min_delta: Annotated[float, Field(ge=0)]


class AveragingConfig(Section):
    decay: Annotated[float, Field(gt=0, lt=1)] | None
    every_n_steps: PositiveInt


class CallbacksConfig(SparseSection):
    checkpoint: CheckpointConfig
    averaging: AveragingConfig
    early_stopping: EarlyStoppingConfig
    extra: Annotated[dict[str, Target], BeforeValidator(without_null)] = Field(default={})
    log_interval_seconds: Annotated[float, Field(gt=0), NO_EFFECT]


class SweepConfig(Section):
    name: Annotated[str, AfterValidator(as_folder_name)] | None
    force: bool
    dry_run: bool


class LinearConfig(Section):
    ngram_min: PositiveInt
    ngram_max: PositiveInt
    min_count: PositiveInt
    units: Literal["characters", "words"]
    C: Annotated[float, Field(gt=0)]
    class_weights: ClassWeights


def _all_at_home(paths: list[str]) -> list[str]:
    return [*map(_at_home, paths)]


class DistillConfig(Section):
    teachers: Annotated[list[str], AfterValidator(_all_at_home), NO_EFFECT]  # their content counts
    weight: Annotated[float, Field(ge=0, le=1)] | None
    temperature: Annotated[float, Field(gt=0)]


def _without_unset(recipe: RecipeConfig) -> RecipeConfig:
    steps = {name: without_unset(step, KEYS) for name, step in recipe.steps.items()}
    shared = without_unset(recipe.shared, KEYS)
    return RecipeConfig(shared=shared, steps=steps, merge=recipe.merge)


class RunConfig(Section):
    """All of a run's configuration."""

    task: Literal["classify", "pretrain", "linear"]
    init_from: Annotated[Place, NO_EFFECT]  # what is in it counts
    data: DataConfig
    model: Annotated[AnyModelConfig, NETWORKS]
    trainer: Annotated[TrainerConfig, NETWORKS]
    callbacks: Annotated[CallbacksConfig, NETWORKS]
    logger: Annotated[AnyLoggerConfig, NO_EFFECT]
    distill: Annotated[DistillConfig, OnlyFor(("classify",))]
    linear: Annotated[LinearConfig, OnlyFor(("linear",))]
    sweep: Annotated[SweepConfig, NO_EFFECT]
    search: Annotated[SearchConfig | None, NO_EFFECT] = None
    recipe: Annotated[RecipeConfig, AfterValidator(_without_unset)] | None
    seed: Seed
    ckpt_path: Place
    resume: Annotated[Place, NO_EFFECT]
    debugging: Annotated[bool, NO_EFFECT] = False
    tags: Annotated[list[Label], NO_EFFECT] = Field(default=[])
    notes: Annotated[str | None, NO_EFFECT] = None
    test: bool

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for problem in self._contradictions():
            raise ValueError(problem)
        # A tokenizer that is given has as many tokens as it has: see `build_module`.
        if self.task != "linear" and not self.data.tokenizer:
            self.check_memory(self.data.vocab_size)
        return self

    def _contradictions(self) -> Iterator[str]:
        task, architecture = self.task, self.model.architecture
        if task == "pretrain" and self.callbacks.checkpoint.monitor != "val/loss":
            yield (
                "a language model has only a loss: with task=pretrain set "
                "callbacks.checkpoint.monitor=val/loss"
            )
        if task == "pretrain" and not ENCODERS[architecture].can_be_pretrained:
            can = [f"model={name}" for name, it in ENCODERS.items() if it.can_be_pretrained]
            yield (
                f"model={architecture} cannot be pretrained as a language model; with "
                f"task=pretrain set {' or '.join(can)}"
            )
        if task != "pretrain" and self.data.label_column is None:
            yield (
                f"data.label_column=null: with task={task} set it to the column of the labels; "
                "reviews without labels are for task=pretrain"
            )
        if task != "classify" and self.distill.teachers:
            yield f"only a classifier has teachers: with task={task} leave out distill.teachers"
        if task == "linear" and (self.init_from or self.ckpt_path):
            yield (
                "a linear classifier starts from nothing: with task=linear leave out init_from "
                "and ckpt_path"
            )
        if task == "classify" and self.data.unlabelled and not self.distill.teachers:
            yield (
                "unlabelled reviews need a target: with data.unlabelled=true set "
                "distill.teachers, or task=pretrain"
            )
        has_unlabelled = self.data.unlabelled and self.data.unlabelled_file
        if self.distill.teachers and self.distill.weight == 0 and not has_unlabelled:
            ways = ["distill.weight=0.9", "null"]
            ways += ["data.unlabelled=true"] if self.data.unlabelled_file else []
            yield (
                "distill.weight=0: without unlabelled reviews nothing would be learnt from the "
                f"teachers; set {', or '.join(ways)}"
            )
        if self.trainer.fast_dev_run and self.recipe:
            yield (
                "trainer.fast_dev_run keeps nothing, and a recipe's steps build on what those "
                "before them keep: debug=limit tries all of them on a few batches"
            )
        if self.trainer.fast_dev_run and task == "linear":
            yield (
                "trainer.fast_dev_run: a linear classifier has no batches to try: leave it out; "
                "data=sample is quick"
            )
        yield from self.trainer.contradictions(str(self.model.schedule))
        if self.linear.ngram_min > self.linear.ngram_max:
            low, high = self.linear.ngram_min, self.linear.ngram_max
            yield f"linear.ngram_max={high}: must be linear.ngram_min={low} or more"

    def check_memory(self, vocab_size: int) -> None:
        """Raises ValueError where a bundle, with that many tokens, would be too large to use."""
        embedding_dim, encoder = self.model.embedding_dim, encoder_settings(self.model.encoder())
        needed = memory_needed(encoder, vocab_size, embedding_dim)
        if needed > LARGEST_MEMORY:
            raise ValueError(
                f"{encoder.describe()}, model.{embedding_dim=}, {vocab_size:,} tokens: the bundle "
                f"would take {needed / 2**30:.1f} GB of memory to use, {LARGEST_MEMORY >> 30} are "
                "allowed; lower data.vocab_size or the model's sizes"
            )


KEYS = Keys(RunConfig)


def check_config(config: Mapping[str, Any]) -> RunConfig:
    """Check a resolved configuration.

    Raises ValueError, in one line, that names each wrong key, its value and what is allowed.
    """
    _check_architecture(config.get("model"))
    checked = check_section(RunConfig, dict(config))
    if checked.recipe:
        check_recipe(checked.recipe, KEYS)
    return checked


def _check_architecture(model: Any) -> None:
    """Raises ValueError where the settings are another architecture's."""
    chosen = model.get("architecture") if isinstance(model, Mapping) else None
    if not isinstance(chosen, str) or chosen not in MODEL_CONFIGS:
        return  # which the schema says
    own = MODEL_CONFIGS[chosen].model_fields.keys()
    known = {key for config in MODEL_CONFIGS.values() for key in config.model_fields}
    if own - model.keys() and known & model.keys() - own:
        raise ValueError(
            f"model.architecture={chosen}: the other settings are of another one; "
            f"choose it with model={chosen}"
        )


def check_section(section: type[S], values: Any, *path: str) -> S:
    """Check the section at `path`, as `check_config` does the whole."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    lines = [_describe(each, (*path, *each["loc"])) for each in problems]
    # A key that follows another one has the same wrong value, which was given once.
    again = {
        f"{key}{line.removeprefix(source)}"
        for line in lines
        for key, source in FOLLOWS.items()
        if line.startswith(f"{source}=")
    }
    raise ValueError("; ".join(line for line in lines if line not in again))


def _describe(problem: Any, path: tuple[str | int, ...]) -> str:
    """As `KEYS.describe`, with a path from which the names that pydantic has for types are gone."""
    code = problem["type"]
    if code == "union_tag_not_found":
        return "model.architecture: missing; set it"
    if code == "union_tag_invalid":
        allowed = {"type": "literal_error", "msg": " or ".join(map(repr, ENCODERS))}
        chosen = problem["input"]["architecture"]
        return KEYS.describe({**allowed, "input": chosen}, "model.architecture")
    if path[:1] == ("model",) and len(path) > 2:
        architecture, *rest = path[1:]
        if code == "extra_forbidden" and (key := f"model.{rest[0]}") in KEYS:
            return f"{key}: not a setting of model={architecture}"
        path = ("model", *rest)
    if path[:2] == ("search", "space"):
        path = (*path[:3], *path[4:])  # after the key to vary: a list or a range
    return KEYS.describe(problem, ".".join(map(str, path)))


def is_for_many_runs(config: RunConfig) -> bool:
    """Whether the configuration makes sense for a sweep only. A search's trial is a run, too."""
    sweep, search = config.sweep, config.search
    is_search = search is not None and search.trial is None
    return is_search or sweep.name is not None or sweep.force or sweep.dry_run
