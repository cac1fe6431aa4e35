"""Builds what a job runs, from a checked configuration: plain values go into plain classes."""

import sys
from pathlib import Path

import pytorch_lightning as L
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.loggers import CSVLogger, Logger

from nsmc.config.schema import DataConfig, LoggerConfig, RunConfig
from nsmc.data.cache import digest_of_file
from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.download import RemoteFile, are_published
from nsmc.data.encoding import EncodingSettings
from nsmc.data.soft_labels import Distillation
from nsmc.data.training_set import TrainingSettings
from nsmc.runtime.bundle import TOKENIZER_FILE
from nsmc.runtime.choosing import bundle_folder
from nsmc.training.averaging import WeightAverage
from nsmc.training.charts import ValidationCharts
from nsmc.training.checkpoints import LAST, AtomicCheckpointIO, BestCheckpoint
from nsmc.training.early_stopping import EarlyStopping
from nsmc.training.interruption import LastCheckpoint
from nsmc.training.progress import ProgressBar, TrainingProgress
from nsmc.training.randomness import StepSeed
from nsmc.training.tensorboard import Curves

CHECKPOINTS = "checkpoints"  # the folder in a run's folder


def build_datamodule(run: RunConfig) -> ReviewDataModule:
    config, distill = run.data, run.distill
    tokenizer = tokenizer_file(run)
    distillation = None
    if distill.teachers:
        distillation = Distillation(tuple(distill.teachers), distill.weight, distill.temperature)
    return ReviewDataModule(
        root=config.root,
        train_file=config.train_file,
        test_file=config.test_file,
        remote_files=_remote_files(config),
        cache_dir=config.cache_dir,
        encoding=EncodingSettings(
            validation_fraction=config.validation_fraction,
            split_seed=config.split_seed,
            vocab_size=config.vocab_size,
            min_frequency=config.min_frequency,
            normalization=config.normalization,
            tokenizer=digest_of_file(tokenizer) if tokenizer else None,
        ),
        batch_size=config.batch_size,
        eval_batch_size=config.eval_batch_size,
        max_length=config.max_length,
        pad_to=config.max_length if config.padding == "fixed" else None,
        shuffle=config.shuffle,
        bucketing=config.bucketing,
        seed=run.seed,
        unlabelled_file=config.unlabelled_file if _has_unlabelled(run) else None,
        unlabelled_archive=_archive(config),
        test=run.test,
        classifies=run.task != "pretrain",
        tokenizer=str(tokenizer) if tokenizer else None,
        training=TrainingSettings(
            bpe_dropout=config.bpe_dropout, cuts=config.bpe_cuts, distillation=distillation
        ),
    )


def _has_unlabelled(run: RunConfig) -> bool:
    """Whether unlabelled reviews are used.

    A linear classifier learns from the labelled ones alone: where there are no others, there are
    merely fewer soft labels.
    """
    data = run.data
    if run.task != "linear" or _archive(data) is not None:
        return data.unlabelled
    return data.unlabelled and (Path(data.root).expanduser() / data.unlabelled_file).is_file()


def _remote_files(data: DataConfig) -> dict[str, RemoteFile]:
    published = (data.remote_files or {}).items()
    return {name: RemoteFile(file.url, file.sha256) for name, file in published}


def _archive(data: DataConfig) -> str | None:
    """The archive of the corpus's unlabelled reviews; none where its files are somebody's own."""
    return data.own_archive if has_published_files(data) else None


def has_published_files(data: DataConfig) -> bool:
    """Whether no file of the corpus is another one than is published under its name."""
    return are_published(Path(data.root).expanduser(), _remote_files(data))


def corpus_name(data: DataConfig) -> str:
    """What the model card calls the corpus."""
    return data.name if has_published_files(data) else f"{data.name}, with other files"


def fetch_unlabelled_reviews(config: RunConfig) -> None:
    """Make sure that the unlabelled reviews, where they are wanted, are there before a signature.

    Raises what `ReviewDataModule.fetch` raises.
    """
    if config.data.unlabelled:
        build_datamodule(config).fetch()


def tokenizer_file(config: RunConfig) -> Path | None:
    """The tokenizer that is used instead of training one; raises FileNotFoundError without one."""
    place = config.data.tokenizer or config.init_from
    if place is None:
        return None
    path = Path(place).expanduser()
    return path if path.is_file() else bundle_folder(path) / TOKENIZER_FILE


def build_callbacks(config: RunConfig, folder: Path) -> list[L.Callback]:
    """Checkpoints, early stopping, progress and charts; the job adds the export."""
    chosen = config.callbacks
    monitor = chosen.checkpoint.monitor
    mode = "min" if monitor == "val/loss" else "max"
    last = str(folder / CHECKPOINTS / LAST)
    callbacks: list[L.Callback] = [
        StepSeed(config.seed),
        BestCheckpoint(
            dirpath=str(folder / CHECKPOINTS),  # a Path could end up in the checkpoint
            filename="epoch-{epoch:02d}",  # no "=", which an override could not hold
            auto_insert_metric_name=False,
            monitor=monitor,
            mode=mode,
            save_on_train_epoch_end=True,  # when the loops' state is that of a finished epoch
            enable_version_counter=False,
        ),
        LastCheckpoint(last, chosen.checkpoint.minutes),
    ]
    if chosen.averaging.decay is not None:
        callbacks.insert(0, WeightAverage(chosen.averaging.decay, chosen.averaging.every_n_steps))
    stopping = chosen.early_stopping
    if stopping.patience is not None:
        callbacks.append(
            EarlyStopping(
                monitor,
                own_checkpoint=last,
                patience=stopping.patience,
                min_delta=stopping.min_delta,
                mode=mode,
            )
        )
    if sys.stdout.isatty() and sys.stderr.isatty():
        callbacks += [TrainingProgress(seconds_between_lines=None), ProgressBar(monitor)]
    else:
        callbacks.append(TrainingProgress(chosen.seconds_between_lines))
    if config.logger.tensorboard and config.task == "classify":
        callbacks.append(ValidationCharts(tuple(config.data.labels)))
    return callbacks


def build_loggers(config: LoggerConfig, folder: Path, step: int | None = None) -> list[Logger]:
    """TensorBoard first: it is the logger that charts are drawn for.

    `step` is the one that an interrupted run goes on from: TensorBoard then drops what that run
    logged after it, and the numbers of this part go into a CSV file of their own.
    """
    loggers: list[Logger] = []
    if config.tensorboard:
        loggers.append(Curves(str(folder), purge_step=None if step is None else step + 1))
    if config.csv:
        version = "csv" if step is None else f"csv_from_step_{step}"
        loggers.append(CSVLogger(str(folder), name="", version=version))
    return loggers


def cluster_environment() -> list[SLURMEnvironment]:
    """Lightning's view of a job of Slurm's, but for its handlers; see nsmc/training/slurm.py."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


def build_trainer(
    config: RunConfig, folder: Path, callbacks: list[L.Callback], step: int | None = None
) -> L.Trainer:
    """`step` is as in `build_loggers`."""
    trainer = config.trainer
    return L.Trainer(
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=trainer.strategy,
        precision=trainer.precision,
        max_epochs=trainer.max_epochs,
        limit_train_batches=trainer.limit_train_batches or 1.0,
        gradient_clip_val=trainer.gradient_clip_val,
        log_every_n_steps=trainer.log_every_n_steps,
        deterministic=trainer.deterministic,
        callbacks=callbacks,
        logger=build_loggers(config.logger, folder, step),
        plugins=[AtomicCheckpointIO(), *cluster_environment()],
        # Not the run's folder: in a job of Slurm's Lightning would go on from an hpc_ckpt_*.ckpt
        # that an earlier version of this program left there.
        default_root_dir=folder / CHECKPOINTS,
        use_distributed_sampler=False,  # the datamodule's sampler deals the reviews out itself
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
    )
