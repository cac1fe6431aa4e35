"""What is typed reaches the configuration as it was typed, and Hydra's own syntax stays Hydra's."""

import re
import shlex
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nsmc.config.overrides import (
    command_line,
    pasteable,
    quoted,
    readable,
    readable_arguments,
    typed_values,
    written,
)

# Text without Hydra's own signs: see `readable`.
TEXT = st.text(st.characters(exclude_characters="\\$", exclude_categories=["Cs"]), min_size=1)


def parsed(override: str) -> Any:
    (found,) = OverridesParser.create().parse_overrides([override])
    return found


def is_free(text: str) -> bool:
    is_call = re.fullmatch(r"\w+\s*\(.*\)\s*", text, re.DOTALL)
    return text[0] not in "'\"" and text.lower() != "null" and not is_call


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("logger.mlflow.tracking_uri=x", "++logger.mlflow.tracking_uri=x"),
        ("callbacks.extra.mine={_target_: a.B}", "++callbacks.extra.mine={_target_: a.B}"),
        ("model.optimizer._target_=torch.optim.SGD", "++model.optimizer._target_=torch.optim.SGD"),
        ("+logger.mlflow.tracking_uri=x", "+logger.mlflow.tracking_uri=x"),
        ("logger.csv=false", "logger.csv=false"),
        ("model.schedule=cosine", "model.schedule=cosine"),
        ("trainer.max_time={seconds:2}", "trainer.max_time={seconds:2}"),
        ("trainer.max_time=00:00:00:02", "trainer.max_time=00:00:00:02"),
    ],
)
def test_keys_of_a_users_classes_may_be_new(typed: str, read: str) -> None:
    assert readable(typed) == read
    assert command_line([read]).endswith(shlex.quote(typed))


@settings(deadline=None)
@given(TEXT)
def test_any_text_is_a_place_as_it_was_typed(text: str) -> None:
    assume(is_free(text))
    for key in ("data.root", "init_from", "resume", "sweep", "hydra.sweep.dir", "+data.root"):
        if not (text.startswith("~") and key.startswith("hydra")):
            assert parsed(readable(f"{key}={text}")).value() == text


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_is_any_text_at_all(text: str) -> None:
    override = f"data.root={quoted(text)}"
    assert readable(override) == override
    assert parsed(override).value() == text


@settings(deadline=None)
@given(st.lists(TEXT.filter(lambda text: not set(",[](){}'\"") & set(text)), min_size=1))
def test_any_texts_are_a_list(texts: list[str]) -> None:
    texts = [text.strip() for text in texts]
    assume(all(text and text.lower() != "null" for text in texts))
    found = parsed(readable(f"data.labels=[{','.join(texts)}]")).value()
    assert found == texts


@settings(deadline=None)
@given(st.lists(TEXT.filter(lambda text: not set(",[](){}'\"") & set(text)), min_size=2))
def test_in_a_sweep_commas_are_between_values(texts: list[str]) -> None:
    texts = [text.strip() for text in texts]
    assume(all(text and text.lower() != "null" for text in texts))
    override = parsed(readable(f"data.root={','.join(texts)}", in_sweep=True))
    values = [parsed(f"k={value}").value() for value in override.sweep_string_iterator()]
    assert values == texts


@settings(deadline=None)
@given(TEXT)
def test_what_is_readable_stays_so(text: str) -> None:
    for key in ("data.root", "data.labels", "model.lr", "data"):
        for in_sweep in (False, True):
            once = readable(f"{key}={text}", in_sweep)
            assert readable(once, in_sweep) == once


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(PLAIN)
def test_a_plain_value_is_written_as_hydra_reads_it(value: Any) -> None:
    assert parsed(f"key={written(value)}").value() == value


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1))
def test_what_is_pasted_into_a_shell_comes_back(text: str) -> None:
    for key in ("resume", "init_from"):
        (argument,) = shlex.split(pasteable(key, text))
        assert typed_values([readable(argument)]) == [(key, text)]
    (*_, argument) = shlex.split(command_line([f"data.root={quoted(text)}"]))
    assert typed_values([readable(argument)]) == [("data.root", text)]


@pytest.mark.parametrize(
    "override",
    [
        *(
            "model.lr=0.01",
            "seed=1,2",
            "seed=range(1,4)",
            "ablation=glob(*)",
            "model=choice(gru,lstm)",
        ),
        *("search.space={model.lr:{low:0.1,high:1}}", "model=[gru,lstm]", "data.labels=[ a, b ]"),
        *("data.root='/a b'", 'data.root="/a,b"', r"data.root=/a\ b", "data.root=${oc.env:HOME}/x"),
        *("init_from=null", "data.root=", "~ablation", "hydra/launcher=joblib", "+x.y=3", "x@y=z"),
        *("hydra.run.dir=outputs/${now:%H}", "distill.teachers=[a,'b c']", "data.root=str(3)"),
    ],
)
@pytest.mark.parametrize("in_sweep", [False, True])
def test_what_hydra_reads_is_left_alone(override: str, in_sweep: bool) -> None:
    assert readable(override, in_sweep) == override


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("data.labels=[부정,긍정]", "data.labels=['부정','긍정']"),
        ("data.labels=[0, 1]", "data.labels=['0','1']"),
        ("distill.teachers=[outputs/가,b]", "distill.teachers=['outputs/가',b]"),
        ("data=말뭉치", "data='말뭉치'"),
        ("data.root=2024", "data.root='2024'"),
        ("resume=~/x", "resume='~/x'"),
        ("hydra.searchpath=[file:///가]", "hydra.searchpath=['file:///가']"),
        ("hydra.run.dir=나/${now:%H,%M}", "hydra.run.dir='나/${now:%H,%M}'"),
        ("sweep=a,b", "sweep.name='a,b'"),
        ("sweep=null", "sweep.name=null"),
        ("sweep='a'", "sweep.name='a'"),
    ],
)
def test_what_hydra_does_not_read_is_quoted(typed: str, read: str) -> None:
    assert readable(typed) == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("data.root=/가,/b", "data.root='/가',/b"),
        ("data.root=choice(/가,'나, 다')", "data.root=choice('/가','나, 다')"),
        ("data.labels=[가,나],[a,b]", "data.labels=['가','나'],[a,b]"),
        ("data.root=/a(1,2),/가", "data.root='/a(1,2)','/가'"),
        ("data.root=/a(1,/가", "data.root='/a(1','/가'"),
        ("sweep=a,b", "sweep.name='a,b'"),
    ],
)
def test_in_a_sweep_each_value_is_quoted_by_itself(typed: str, read: str) -> None:
    assert readable(typed, in_sweep=True) == read


def test_flags_and_what_belongs_to_them_are_left_alone() -> None:
    flags = ["--config-dir", "가/a=b", "-m", "data.root=/가,/나"]
    assert readable_arguments(flags) == [*flags[:3], "data.root='/가','/나'"]
    for flag in ("--help", "--hydra-help", "-sc"):
        assert readable_arguments([flag, "query=가"]) == [flag, "query=가"]


def test_a_home_folder_is_written_out_for_hydra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/나")
    assert readable("hydra.run.dir=~/a") == "hydra.run.dir='/home/나/a'"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("~data", "~data: no run can do without data; leave ~data out"),
        ("~data.root=x", "no run can do without data.root"),
        ("=3", "=3: not a setting; write KEY=VALUE"),
        ("data.root=/\udcb0", r"'data.root=/\udcb0': not UTF-8"),
    ],
)
def test_what_cannot_be_meant_is_refused(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        readable(override)
