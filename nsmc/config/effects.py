"""Which keys of the configuration can change a run's result, and which cannot."""

_SECTIONS_WITHOUT_EFFECT = {"logger", "sweep", "search", "resume"}
_KEYS_WITHOUT_EFFECT = {
    *("data.name", "data.root", "data.remote_files", "data.cache_dir"),
    *("data.train_file", "data.test_file"),  # their content counts, as the corpus's fingerprint
    *("init_from", "data.tokenizer", "distill.teachers"),  # here, too, content counts
    *("data.unlabelled_file", "data.unlabelled_archive"),
    *("trainer.log_every_n_steps", "trainer.threads"),
    *("callbacks.seconds_between_lines", "callbacks.checkpoint.minutes"),
}

# What a task does not look at.
_UNUSED = {
    "classify": {"linear", "model.num_sampled"},
    "pretrain": {"linear", "distill"},
    "linear": {"model", "trainer", "callbacks", "distill"},
}


def has_effect(key: str) -> bool:
    """Whether a dotted key, or the section it names, can change a result."""
    if key.partition(".")[0] in _SECTIONS_WITHOUT_EFFECT:
        return False
    return not _is_in(key, _KEYS_WITHOUT_EFFECT)


def has_effect_on(task: str | None, key: str) -> bool:
    """Whether a dotted key, or the section it names, can change the result of such a task.

    None stands for a recipe, whose steps may be of any.
    """
    return has_effect(key) and (task is None or not _is_in(key, _UNUSED[task]))


def _is_in(key: str, sections: set[str]) -> bool:
    """Whether the key is one of these, or in a section that is."""
    return any(key == each or key.startswith(f"{each}.") for each in sections)
