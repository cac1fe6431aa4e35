"""What can be typed after a run: commands that work as they are printed."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nsmc.config.commands import predict_command, program, relative_path, train_command_here
from nsmc.config.composition import composed_values, flags, search_path
from nsmc.config.overrides import arguments_line, as_overrides, quoted
from nsmc.config.schema import RunConfig, check_config
from nsmc.reading.file_format import COLUMN_SETTINGS, ENCODING_SETTINGS
from nsmc.runs.corpus_files import check_files, files_of
from nsmc.runs.record import Record, final_step_config
from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE, flat
from nsmc.runtime.loading import read_config, read_vocabulary
from nsmc.runtime.locate import PRETRAINED
from nsmc.training.starting import needed_overrides

_FEW_REVIEWS = 20_000  # up to which experiment=small is better than the defaults
_LARGER_BATCHES = "data.batch_size=256"  # of experiment=finetune, for more reviews
_LEARNT_FILE = "ratings_train.txt"  # NSMC's, whose labels the bundle in the package has learnt
_BYTES_OF_A_SYLLABLE = 3  # in UTF-8

# What a corpus is, how it is read, and which of its reviews are held out.
_FILES = ("root", "train_file")
_OF_THE_CORPUS = (
    *("name", *_FILES, "test_file", "validation_file", "unlabelled_file", "cache_dir"),
    *(*ENCODING_SETTINGS, *COLUMN_SETTINGS, "skip_damaged", "labels", "label_map"),
    *("test_fraction", "validation_fraction", "folds", "fold", "split_seed"),
)


def next_commands(config: RunConfig, record: Record, folder: Path) -> str:
    """Commands that can be typed as they stand, in lines; none where nothing was measured."""
    if record.get("metrics") == {}:  # of fast_dev_run
        return ""
    theirs, folder = final_step_config(record), relative_path(folder)
    task, typed = theirs["task"], record.get("overrides", [])
    lines = ["", "Next:"]
    if task == "classify":
        lines.append(predict_command(folder / "bundle"))
    else:
        with suppress(ValueError):  # of a main configuration that says too little
            follow = _start_from if task == "pretrain" else _learn_from
            lines.append(follow(check_config(theirs), folder, typed))
    if config.logger.tensorboard and task != "linear":
        lines.append(f"{program('tensorboard')} --logdir outputs")
    if task == "classify" and (advice := _for_this_corpus(config, record, folder)):
        lines.append(advice)
    if config.data.name == "sample":
        lines.append(f"{train_command_here()}            # the real corpus, NSMC")
    return "\n".join([*lines[:2], *(f"  {line}" for line in lines[2:])])


def _start_from(theirs: RunConfig, folder: Path, typed: Sequence[str]) -> str:
    """A classifier that starts from a language model's weights."""
    start = [f"init_from={quoted(str(folder))}"]
    if theirs.data.label_column is None:  # which cannot be the classifier's corpus
        ours = check_config(composed_values([*search_path()]))
        shape = needed_overrides(ours.model.encoder(), theirs.model.encoder())
        return f"{_train([*start, *shape])}  # on NSMC; data= chooses reviews of yours, with labels"
    ours, corpus = _on_the_corpus_of(theirs, typed, [])
    shape = needed_overrides(ours.model.encoder(), theirs.model.encoder())
    return _train([*start, *corpus, *shape])


def _learn_from(theirs: RunConfig, folder: Path, typed: Sequence[str]) -> str:
    """A student of a linear classifier."""
    own = ["experiment=distill", f"distill.teachers=[{quoted(str(folder))}]"]
    ours, corpus = _on_the_corpus_of(theirs, typed, own)
    # Soft labels are of the reviews that there were.
    has_unlabelled = files_of(theirs).unlabelled is not None
    if ours.data.unlabelled and ours.data.unlabelled_file and not has_unlabelled:
        corpus.append("data.unlabelled=false")
    return _train([*own, *corpus])


def _on_the_corpus_of(
    theirs: RunConfig, typed: Sequence[str], own: Sequence[str]
) -> tuple[RunConfig, list[str]]:
    """The configuration of a run with its `own` overrides, and what it needs to have their corpus.

    It holds out the same reviews. `typed` is what was typed for them. Raises ValueError where a
    main configuration says too little.
    """
    choice = [override for override in typed if override.startswith("data=")]
    values = composed_values([*search_path(), *own, *choice])
    given: dict[str, Any] = values["data"]
    wanted = theirs.data.model_dump()
    known = {**given, **{key: wanted[key] for key in _FILES}}  # which may be still to be given
    ours = check_config({**values, "data": known})
    ours_data = {**ours.data.model_dump(), **{key: given[key] for key in _FILES}}
    needed = {f"data.{key}": wanted[key] for key in _OF_THE_CORPUS if ours_data[key] != wanted[key]}
    corpus = [*choice, *as_overrides(needed)]
    try:
        check_files(theirs.data, test=ours.test)
    except FileNotFoundError:
        corpus.append("test=false")
    return ours, corpus


def _for_this_corpus(config: RunConfig, record: Record, folder: Path) -> str | None:
    """The same command with the settings for such a corpus, where no experiment was chosen."""
    count, typed = record.get("training_reviews", _FEW_REVIEWS), record.get("overrides", [])
    is_chosen = any(word.lstrip("+~").startswith("experiment") for word in typed)
    if is_chosen or config.ckpt_path or config.data.name == "sample":
        return None
    of_the_command = ("hydra.", "sweep.", "resume=")
    overrides = [override for override in typed if not override.startswith(of_the_command)]
    is_free = config.init_from is None or "init_from=pretrained" in typed
    if is_free and _can_be_finetuned(config) and _is_known(folder / "bundle"):
        large = [] if count < _FEW_REVIEWS else [_LARGER_BATCHES]
        command = _train([*large, *overrides, "experiment=finetune"])
        return f"{command}  # from the bundle in the package, which knows these tokens"
    if count >= _FEW_REVIEWS:
        return None
    command = _train([*overrides, "experiment=small"])
    return f"{command}  # for {count:,} reviews, as is experiment=linear"


def _can_be_finetuned(config: RunConfig) -> bool:
    """Whether the package's bundle fits the configuration, and has not learnt from the corpus."""
    data, file = config.data, PRETRAINED / CONFIG_FILE
    if data.train_file == _LEARNT_FILE or data.tokenizer or data.morphemes or not file.is_file():
        return False
    return not needed_overrides(config.model.encoder(), flat(read_config(file)))


def _is_known(bundle: Path) -> bool:
    """Whether most tokens of several characters are the package's, too."""
    if not (bundle / TOKENIZER_FILE).is_file():  # a file was deleted meanwhile
        return False
    ours, theirs = (read_vocabulary(path / TOKENIZER_FILE) for path in (PRETRAINED, bundle))
    tokens = [token for token in theirs if len(token) > _BYTES_OF_A_SYLLABLE]
    return 2 * sum(token in ours for token in tokens) > len(tokens)


def _train(overrides: Sequence[str]) -> str:
    """A training with these overrides, composed from where this run's configuration is from."""
    return f"{train_command_here()} {arguments_line([*search_path(), *overrides], flags())}"
