"""The configuration's checks: every choice composes, every wrong value is named in one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nsmc.config.composition import CONFIGS
from nsmc.config.errors import describe
from nsmc.config.hydra_releases import configurations_in
from nsmc.config.keys import FOLLOWS
from nsmc.config.overrides import readable
from nsmc.config.schema import KEYS, DataConfig, check_config
from nsmc.config.steps import flat
from nsmc.runs.trainer import check_hardware
from nsmc.runtime.encoders import ENCODERS, encoder_settings
from nsmc.training.classifier import TextClassifier

Composed = Callable[..., dict[str, Any]]


def choices() -> list[str]:
    return sorted(f"{path.parent.name}={path.stem}" for path in CONFIGS.glob("*/*.yaml"))


@pytest.mark.parametrize("choice", choices())
def test_every_choice_composes_and_passes_the_checks(composed: Composed, choice: str) -> None:
    # A student without a teacher is refused, and a corpus of one's own is somewhere.
    needed = {"experiment=distill": "distill.teachers=[teacher]", "data=files": "data.train_file=x"}
    needed |= {f"data={name}": "data.root=x" for name in ("folder", "ratings", "shopping", "steam")}
    check_config(composed(choice, *filter(None, [needed.get(choice)])))


def test_every_key_of_the_schema_is_in_the_yaml(composed: Composed) -> None:
    def dotted(values: dict[str, Any], prefix: str = "") -> set[str]:
        keys = set()
        for name, value in values.items():
            keys.add(prefix + name)
            if isinstance(value, dict) and name not in users and "_target_" not in value:
                keys |= dotted(value, f"{prefix}{name}.")
        return keys

    # The files' names, a space's parameters and the like are the user's, not keys of the schema.
    users = ("remote_files", "space", "label_map", "extra")
    in_a_recipe = {
        f"recipe.{key}" for key in ("shared", "steps", "merge")
    }  # a run that is none has recipe: null
    in_the_yaml = [
        dotted(composed("search=optuna", "logger=many", f"model={name}")) for name in ENCODERS
    ]
    assert set(KEYS) - in_a_recipe == set.union(*in_the_yaml)


def test_the_blog_experiment_has_the_blogs_numbers(composed: Composed) -> None:
    config = check_config(composed("experiment=blog"))
    data, model, trainer = config.data, config.model, config.trainer
    assert (data.vocab_size, data.max_length, data.batch_size) == (10_000, 128, 32)
    assert (data.padding, data.shuffle, data.bucketing) == ("fixed", False, False)
    assert model.encoder()["architecture"] == "gru"
    sizes = ("embedding_dim", "hidden_size", "num_layers", "bidirectional")
    assert [model.encoder()[size] for size in sizes] == [128, 128, 1, False]
    assert (model.optimizer, model.lr, model.schedule) == ("adam", 0.001, "constant")
    assert (model.dropout, model.word_dropout, model.label_smoothing) == (0, 0, 0)
    assert model.weight_decay == 0
    assert (model.pooling, trainer.max_epochs) == ("last", 6)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.lr=abc", "model.lr=abc: must be a number"),
        ("model.lr=0", "model.lr=0: must be greater than 0"),
        ("model.lr=inf", "model.lr=inf: must be a finite number"),
        ("model.lr=nan", "model.lr=nan: must be a finite number"),
        ("model.hidden_size=0", "model.hidden_size=0: must be greater than or equal to 1"),
        ("model.hidden_size=1.5", "model.hidden_size=1.5: must be a whole number"),
        ("model.hidden_size=true", "model.hidden_size=true: must be a whole number"),
        ("model.dropout=1", "model.dropout=1: must be less than 1"),
        (
            "model.pooling=median",
            "model.pooling=median: must be 'last', 'mean', 'max', 'max_mean' or",
        ),
        ("model.architecture=rnn", "model.architecture=rnn: must be 'gru' or 'lstm' or 'cnn'"),
        ("model.recurrent_dropout=1", "model.recurrent_dropout=1: must be less than 1"),
        ("model.r_drop=-1", "model.r_drop=-1: must be greater than or equal to 0"),
        ("model.adversarial=fgsm", "model.adversarial=fgsm: must be 'none', 'adversarial' or"),
        ("model.adversarial_epsilon=0", "model.adversarial_epsilon=0: must be greater than 0"),
        ("model.embedding_rank=0", "model.embedding_rank=0: must be greater than or equal to 1"),
        ("model.class_weights=heavy", "model.class_weights=heavy: must be balanced, a list of a"),
        ("model.class_weights=[1,0]", "model.class_weights=[1, 0]: must be balanced, a list of a"),
        ("model.class_weights=[1,true]", "model.class_weights=[1, true]: must be balanced, a list"),
        ("model.num_sampled=0", "model.num_sampled=0: must be greater than or equal to 1"),
        ("data.bpe_dropout=1", "data.bpe_dropout=1: must be less than 1"),
        ("data.bpe_samples=0", "data.bpe_samples=0: must be greater than or equal to 1"),
        ("distill.weight=1.5", "distill.weight=1.5: must be less than or equal to 1"),
        ("distill.temperature=0", "distill.temperature=0: must be greater than 0"),
        ("callbacks.averaging.decay=1", "callbacks.averaging.decay=1: must be less than 1"),
        ("task=tag", "task=tag: must be 'classify', 'pretrain'"),
        ("task=pretrain", "with task=pretrain set callbacks.checkpoint.monitor=val/loss"),
        ("data.unlabelled=true", "with data.unlabelled=true set distill.teachers, or task="),
        ("data.vocab_size=256", "data.vocab_size=256: must be greater than or equal to 257"),
        ("data.validation_fraction=1", "data.validation_fraction=1: must be less than 1"),
        ("data.validation_fraction=0", "data.validation_fraction=0: must be greater than 0"),
        ("data.shuffle=2", "data.shuffle=2: must be true or false"),
        (
            "trainer.limit_train_batches=0",
            "trainer.limit_train_batches=0: must be a number of batch",
        ),
        (
            "trainer.limit_train_batches=x",
            "trainer.limit_train_batches=x: must be a number of batch",
        ),
        ("trainer.accelerator=tpu", "trainer.accelerator=tpu: must be 'auto', 'cpu', 'gpu',"),
        ("trainer.precision=8", "trainer.precision=8: must be '32-true', 'bf16-mixed' or"),
        ("+model.hiden_size=3", "model.hiden_size: no such key; did you mean model.hidden_size?"),
        ("seed=-1", "seed=-1: must be greater than or equal to 0"),
        ("~model.lr", "model.lr: missing; set it"),
        ("~model.num_layers", "model.num_layers: missing; set it"),
        ("~model.architecture", "model.architecture: missing; set it"),
        ("model.architecture=cnn", "settings are of another one; choose it with model=cnn"),
        ("model.architecture=5", "model.architecture=5: must be 'gru' or 'lstm' or 'cnn'"),
        ("data=folder", "data.root: missing; set it"),
        ("linear.ngram_min=7", "linear.ngram_max=6: must be linear.ngram_min=7 or more"),
        ("data=files", "data.train_file: missing; set it"),
        (
            "data.label_map=1-4:bad",
            "data.label_map=1-4:bad: must be {VALUE:LABEL,VALUE:L",
        ),
        ("data.label_map='{1-4:}'", "data.label_map={1-4:}: must be {VALUE:LABEL,"),
        ("data.label_map='{4-1:positive}'", "data.label_map: '4-1' is no range: it goes down"),
        (
            "data.labels=[a,b]",
            "'negative', which is not one of data.labels ('a', 'b'); set data.label_map={VALUE:",
        ),
        ("data.label_map='{1:a,1.0:b}'", "data.label_map: '1' is there twice"),
        ("data.label_map='{1-4:a,3-5:b}'", "data.label_map: '1-4' and '3-5' overlap"),
        ("data.label_map='{1-4:a,2:null}'", "data.label_map: '1-4' and '2' overlap"),
        ("data.label_map='{null:a,1:b}'", "data.label_map: null is no value of a file; text is"),
        ("data.labels=[a,a]", "data.labels=['a', 'a']: expected names that differ"),
        ("data.folds=5", "data.folds and data.fold are set together, or neither"),
        ("data.header=false", "data.text_column=document: expected a position from 1, as there is"),
        ("data.encoding=utf-99", "data.encoding=utf-99: no such encoding; utf-8, cp949 and utf-16"),
        ("data.text_column=''", "data.text_column: missing; set it"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    composed: Composed, override: str, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        check_config(composed(override))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "ways"),
    [
        (["data=sample"], "set distill.weight=0.9, or null"),
        (["data=nsmc"], "set distill.weight=0.9, or null, or data.unlabelled=true"),
        (["data=sample", "data.unlabelled=true"], "set distill.weight=0.9, or null"),
        (["data.unlabelled=true", "data.unlabelled_file=''"], "set distill.weight=0.9, or null"),
        (["data=nsmc", "data.unlabelled=true"], None),
    ],
)
def test_teachers_from_whom_nothing_would_be_learnt_are_refused(
    composed: Composed, overrides: list[str], ways: str | None
) -> None:
    config = composed(*overrides, "distill.teachers=[of/one]", "distill.weight=0")
    if ways is None:
        check_config(config)
        return
    with pytest.raises(ValueError) as caught:
        check_config(config)
    assert str(caught.value).endswith(f"learnt from the teachers; {ways}")


@pytest.mark.parametrize(
    ("typed", "mapping"),
    [
        ("{1-4:negative,5-10:positive}", {"1-4": "negative", "5-10": "positive"}),
        ("{1: bad, 2 : null , 3.0:good}", {"1": "bad", "2": None, "3": "good"}),
        ("{좋음:긍정,나쁨:부정}", {"좋음": "긍정", "나쁨": "부정"}),
        ("""{'1-4':"a, b",x y:c d}""", {"1-4": "a, b", "x y": "c d"}),
        ("{true:yes,-1:no}", {"true": "yes", "-1": "no"}),
    ],
)
def test_labels_are_mapped_on_the_command_line(
    composed: Composed, typed: str, mapping: dict[str, str | None]
) -> None:
    override = readable(f"data.label_map={typed}")
    config = check_config(composed("data=folder", "data.root=x", "data.labels=null", override))
    assert config.data.label_map == mapping  # and nothing of the corpus's own


OWN = """defaults: [{base}, _self_]
name: mine
root: .
train_file: reviews.csv
{keys}
"""


@pytest.fixture
def own_corpus(composed: Composed, tmp_path: Path) -> Callable[..., DataConfig]:
    """Composes a YAML of a user's own that builds on a corpus."""

    def own_corpus(keys: str, base: str = "files") -> DataConfig:
        (tmp_path / "data").mkdir(exist_ok=True)
        content = OWN.format(base=base, keys=keys)
        (tmp_path / "data/mine.yaml").write_text(content, encoding="utf-8")
        values = composed("data=mine", f"hydra.searchpath=[file://{tmp_path}]")
        return check_config(values).data

    return own_corpus


@pytest.mark.parametrize("base", ["folder", "nsmc", "ratings", "shopping", "steam"])
def test_a_map_of_one_s_own_replaces_that_of_the_corpus(
    own_corpus: Callable[..., DataConfig], base: str
) -> None:
    data = own_corpus("label_map: {1-5: bad, 6-7: null, 8.0: good}", base)
    assert data.label_map == {"1-5": "bad", "6-7": None, "8": "good"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("labels: [no, yes]", "data.labels: false must be in quotes: YAML reads yes and on as"),
        ("label_map: {no: a, yes: b}", "data.label_map: false must be in quotes: YAML"),
        ("label_map: {1-5: no, 6: yes}", "data.label_map: '1-5': false must be in quotes: YAML"),
        ("text_column: on", "data.text_column=true: must be in quotes: YAML"),
        ("label_map: {1: a, '1': b}", "label_map: '1' is there twice"),
        ("label_map: {1: a, '1.0': b}", "data.label_map: '1' is there twice"),
        ("label_map: {1: [a]}", "data.label_map: '1': ['a'] is no label"),
        ("label_map: {1: '', 2: b}", "data.label_map: '1': '' is no label"),
        ("labels: [a, ~]", "data.labels: null must be text"),
    ],
)
def test_what_yaml_makes_of_labels_is_refused_where_it_may_be_something_else(
    own_corpus: Callable[..., DataConfig], keys: str, message: str
) -> None:
    with pytest.raises(ValueError) as raised:
        own_corpus(keys)
    # With Hydra 1.4 it is OmegaConf that refuses some.
    is_ours = not isinstance(raised.value, OmegaConfBaseException)
    assert message in (str(raised.value) if is_ours else describe(raised.value))


def test_labels_in_yaml_are_what_they_are_in_a_file(own_corpus: Callable[..., DataConfig]) -> None:
    data = own_corpus("labels: [1.0, 0.50, +2, 'no', '007', 'True']")
    assert data.labels == ["1", "0.5", "2", "no", "007", "true"]


def test_a_fold_is_a_part_of_the_folds_and_instead_of_a_test_file(composed: Composed) -> None:
    folds = ("data.folds=5", "data.fold=4")
    assert check_config(composed("data.test_file=null", *folds)).data.split.fold == 4
    with pytest.raises(ValueError, match="a fold is the test part: set data"):
        check_config(composed(*folds))
    with pytest.raises(ValueError, match=r"^data\.fold=5: data\.folds=5 are called 0 and on"):
        check_config(composed("data.test_file=null", "data.folds=5", "data.fold=5"))


@pytest.mark.parametrize(("header", "column"), [("true", "2"), ("false", 2)])
def test_a_number_is_a_column_s_name_or_its_position(
    composed: Composed, header: str, column: str | int
) -> None:
    columns = ("data.text_column=2", "data.label_column=1", f"data.header={header}")
    assert check_config(composed(*columns)).data.form.file_format.text_column == column


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+model.num_layers=2"], "model.num_layers: not a setting of model=cnn"),
        (["experiment=teacher"], "model.hidden_size: not a setting of model=cnn"),
        (["model.filter_widths=[3,2]"], "model.filter_widths=[3, 2]: must be numbers in ascending"),
        (["model.filter_widths=[2,2]"], "model.filter_widths=[2, 2]: must be numbers in ascending"),
        (["model.filter_widths=[]"], "model.filter_widths=[]: must be one or more"),
        (
            ["model.filter_widths=[0,2]"],
            "model.filter_widths: 0 must be greater than or equal to 1",
        ),
        (["model.filter_widths=2"], "model.filter_widths=2: must be a list"),
        (["model.num_filters=0"], "model.num_filters=0: must be greater than or equal to 1"),
        (
            ["task=pretrain", "callbacks.checkpoint.monitor=val/loss"],
            "model=cnn cannot be pretrained as a language model; with task=pretrain set model="
            "gru or model=lstm",
        ),
    ],
)
def test_what_an_architecture_cannot_do_is_named_in_one_line(
    composed: Composed, overrides: list[str], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        check_config(composed("model=cnn", *overrides))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"low": 3, "high": 1},
            "={low: 3, high: 1}: must be a range from low up to high",
        ),
        ({"lo": 1, "high": 3}, ".low: missing; set it; search.space.model.lr.lo: no such key"),
        ([], "=[]: must be one or more"),
        ([0.1, [0.2]], ": [0.2] must be text, a number, true, false or null"),
        (3, "=3: must be a list"),
    ],
)
def test_a_wrong_list_or_range_to_search_is_named(
    composed: Composed, values: Any, message: str
) -> None:
    config = composed("search=optuna")
    config["search"]["space"]["model.lr"] = values
    with pytest.raises(ValueError) as caught:
        check_config(config)
    assert str(caught.value).startswith(f"search.space.model.lr{message}")


def test_a_search_builds_on_another_one_without_keys_that_are_null(composed: Composed) -> None:
    config = composed("search=optuna")
    config["search"]["space"] |= {"model.dropout": None, "model.hidden_size": [8, 16]}
    search = check_config(config).search
    assert search is not None
    expected = {"model.lr", "model.embedding_dim", "model.word_dropout", "model.hidden_size"}
    assert set(search.space) == expected


@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_a_search_is_of_any_architecture(composed: Composed, architecture: str) -> None:
    config = composed("search=optuna", f"model={architecture}")
    assert {key.removeprefix("model.") for key in config["search"]["space"]} <= {*config["model"]}


@pytest.mark.parametrize(
    ("overrides", "gigabytes"),
    [
        (["model=cnn", "model.num_filters=65536", "data.vocab_size=20000"], "43.9"),
        (["model=lstm", "model.hidden_size=65536"], "64.1"),
        (["model.embedding_dim=65536", "model.embedding_rank=2", "data.vocab_size=90000"], "22.1"),
    ],
)
def test_a_model_that_no_bundle_can_hold_is_refused(
    composed: Composed, overrides: list[str], gigabytes: str
) -> None:
    values = composed(*overrides)
    with pytest.raises(ValueError, match=f"the bundle would take {gigabytes} GB of memory"):
        check_config(values)
    check_config({**values, "task": "linear"})  # which makes none
    # How many tokens a tokenizer that is given has is known once it is read.
    config = check_config({**values, "data": {**values["data"], "tokenizer": "tokenizer.json"}})
    with pytest.raises(ValueError, match=r"lower data\.vocab_size or the model's sizes"):
        config.check_memory(1_000_000)


@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_an_architecture_is_complete(composed: Composed, architecture: str) -> None:
    """It has a YAML file with settings that both of its encoders take."""
    config = check_config(composed(f"model={architecture}"))
    network = TextClassifier(vocab_size=9, label_count=2, **config.model.classifier())
    assert network.text_encoder.settings == encoder_settings(config.model.encoder())
    shapes = {name: tensor.shape for name, tensor in network.text_encoder.encoder.tensors().items()}
    assert shapes == network.text_encoder.settings.shapes(config.model.embedding_dim)


def test_a_setting_that_another_architecture_has_is_refused_on_the_command_line(
    composed: Composed,
) -> None:
    with pytest.raises(HydraException) as caught:
        composed("model=cnn", "model.num_layers=2")
    assert describe(caught.value) == "model.num_layers: not a setting of model=cnn"


def test_all_wrong_values_are_named_at_once(composed: Composed) -> None:
    with pytest.raises(ValueError, match=r"model\.lr=abc.*; .*trainer\.max_epochs=0"):
        check_config(composed("model.lr=abc", "trainer.max_epochs=0"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=-1", "seed=-1: must be greater than or equal to 0"),
        ("model.dropout=2", "model.dropout=2: must be less than 1"),
        (
            "model.class_weights=[0]",
            "model.class_weights=[0]: must be balanced, a list of a number",
        ),
    ],
)
def test_a_wrong_value_that_other_keys_follow_is_named_once(
    composed: Composed, override: str, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        check_config(composed(override))
    assert str(caught.value).startswith(message) and ";" not in str(caught.value)
    (key,) = [key for key, source in FOLLOWS.items() if override.startswith(f"{source}=")][:1]
    own = f"{key}={override.partition('=')[2]}"
    with pytest.raises(ValueError, match=f"^{re.escape(own)}: "):
        check_config(composed(own))


def test_the_keys_that_follow_another_one_are_those_that_the_yaml_interpolates() -> None:
    with configurations_in(CONFIGS):
        values: Any = OmegaConf.to_container(compose("train"))
    matches = {key: re.fullmatch(r"\$\{([\w.]+)\}", str(value)) for key, value in flat(values)}
    assert {key: match[1] for key, match in matches.items() if match} == FOLLOWS


def test_unlabelled_reviews_pass_with_a_teacher_or_for_a_language_model(composed: Composed) -> None:
    check_config(composed("data.unlabelled=true", "distill.teachers=[teacher]"))
    monitor = "callbacks.checkpoint.monitor=val/loss"
    check_config(composed("data.unlabelled=true", "task=pretrain", monitor))


def test_zero_is_a_seed_like_any_other(composed: Composed) -> None:
    config = check_config(composed("seed=0"))
    assert (config.seed, config.data.split_seed) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "has_archive"),
    [
        ({}, True),
        ({"remote_files": None}, False),
        ({"train_file": "mine.txt"}, False),
        ({"remote_files": {"ratings_train.txt": None}}, False),
        ({"train_file": "mine.txt", "remote_files": {"mine.txt": None}}, False),
        ({"name": "copy", "root": "/elsewhere"}, True),
    ],
)
def test_the_archive_is_that_of_the_published_files_alone(
    composed: Composed, changes: dict[str, Any], has_archive: bool
) -> None:
    """As a file with `defaults: [nsmc, _self_]` changes them; mappings are merged."""
    data = composed()["data"]
    remote = changes.get("remote_files", {})
    if remote is not None:
        one = data["remote_files"]["ratings_test.txt"]
        remote = {**data["remote_files"], **dict.fromkeys(remote, one)}
        if changes.get("remote_files") and "train_file" not in changes:
            del remote["ratings_test.txt"]
    config = check_config({**composed(), "data": {**data, **changes, "remote_files": remote}})
    assert (config.data.own_archive is not None) == has_archive


def test_a_corpus_of_ones_own_has_no_addresses(composed: Composed) -> None:
    data = check_config(composed("data=folder", "data.root=mine")).data
    assert (data.remote_files, data.unlabelled_archive) == (None, None)


def test_a_value_stands_once_in_the_yaml() -> None:
    """A file says only what differs from the one that it builds on."""
    for name, base in (
        ("model/lstm", "model/gru"),
        ("data/nsmc", "data/folder"),
        ("data/sample", "data/folder"),
    ):
        ours, base_values = (OmegaConf.load(CONFIGS / f"{file}.yaml") for file in (name, base))
        assert isinstance(ours, DictConfig) and isinstance(base_values, DictConfig)
        repeated = {
            key
            for key in ours
            if key in base_values and ours._get_node(key) == base_values._get_node(key)
        }
        assert not repeated, name


@pytest.mark.skipif(torch.cuda.is_available(), reason="the messages are for machines without")
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("experiment=pretrain", "distill.teachers=[a]"), "task=pretrain leave out distill.teach"),
        (("experiment=linear", "distill.teachers=[a]"), "task=linear leave out distill.teachers"),
        (("experiment=linear", "init_from=a"), "task=linear leave out init_from and ckpt_path"),
        (("experiment=linear", "ckpt_path=a"), "task=linear leave out init_from and ckpt_path"),
        (("data.unlabelled=true",), "with data.unlabelled=true set distill.teachers, or task=pre"),
        (("task=pretrain",), "task=pretrain set callbacks.checkpoint.monitor=val/loss"),
        (("data.label_column=null",), "data.label_column=null: with task=classify set it to the"),
        (("data.label_column=null", "task=linear"), "with task=linear set it to the column of"),
    ],
)
def test_what_does_not_fit_together_is_said_in_one_short_line(
    composed: Composed, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_config(composed(*overrides))
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.accelerator=gpu", "trainer.accelerator=gpu: this machine has none"),
        ("trainer.accelerator=cuda", "set trainer.accelerator=cpu or auto"),
        ("trainer.precision=16-mixed", "trainer.precision=16-mixed: needs a GPU"),
    ],
)
def test_hardware_that_is_not_there_is_named(
    composed: Composed, override: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_hardware(check_config(composed(override)).trainer)


def test_hardware_that_is_there_passes(composed: Composed) -> None:
    for override in ("trainer.accelerator=cpu", "trainer.accelerator=auto", "trainer.devices=2"):
        check_hardware(check_config(composed("trainer.accelerator=cpu", override)).trainer)
