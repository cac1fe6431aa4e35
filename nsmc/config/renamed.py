"""Keys that had another name once, for messages and for reports over old runs."""

RENAMED = {
    "callbacks.checkpoint.minutes": "callbacks.checkpoint.every_n_minutes",
    "callbacks.seconds_between_lines": "callbacks.log_interval_seconds",
    "data.bpe_cuts": "data.bpe_samples",
    "linear.longest": "linear.ngram_max",
    "linear.shortest": "linear.ngram_min",
    "linear.strength": "linear.C",
    "model.adversarial_size": "model.adversarial_epsilon",
    "model.cell": "model.architecture",
    "model.negatives": "model.num_sampled",
    "search.at_once": "search.n_jobs",
    "variant": "ablation",
}
