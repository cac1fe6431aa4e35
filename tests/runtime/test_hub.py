"""`hf://`: a bundle is fetched once, checked, kept by its content, and there without a network."""

import base64
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nsmc import Predictor
from nsmc.cli import main
from nsmc.runtime import hub_files
from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from nsmc.runtime.golden import write_vectors
from nsmc.runtime.hub import cache_folder, hub_bundle
from nsmc.runtime.hub_files import HubName
from nsmc.runtime.locate import bundle_folder, split_words
from tests.bundles import random_bundle
from tests.hub import TOKEN, Hub, running_hub

TEXTS = ["정말 최고", "별로"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NSMC_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        for name in ("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield hub


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = random_bundle(tmp_path / "bundle", "# A card\n")
    write_vectors(folder)
    return folder


def message(name: str) -> str:
    with pytest.raises((OSError, ValueError)) as caught:
        Predictor.load(name)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_bundle_on_a_hub_answers_as_the_folder_does_and_is_fetched_once(
    hub: Hub, bundle: Path
) -> None:
    commit = hub.add("me/film", bundle)
    predictor = Predictor.load("hf://me/film")
    assert predictor(TEXTS) == Predictor.load(bundle)(TEXTS)
    asked = hub.paths()
    assert asked[0] == "/me/film/resolve/main/config.json"
    # Whatever the branch does meanwhile, all else is of one commit.
    assert all(f"/{commit}/" in path for path in asked[1:])
    assert {Path(path).name for path in asked} == {path.name for path in bundle.iterdir()}
    folder = bundle_folder(Path("hf://me/film"))
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {
        each.name: each.read_bytes() for each in bundle.iterdir()
    }
    assert hub.paths() == ["/me/film/resolve/main/config.json"]
    assert hub_bundle(f"hf://me/film@{commit}") == folder  # another name of the same content
    hub.paths()
    assert hub_bundle(f"hf://me/film@{commit}") == folder
    assert hub.paths() == []  # a commit never means anything else


def test_a_branch_that_moves_is_followed_and_the_older_bundle_stays(
    hub: Hub, bundle: Path, tmp_path: Path
) -> None:
    first = hub.add("me/film", bundle)
    old = hub_bundle("hf://me/film")
    newer = random_bundle(tmp_path / "newer", seed=1)
    hub.add("me/film", newer)
    assert Predictor.load("hf://me/film")(TEXTS) == Predictor.load(newer)(TEXTS)
    assert hub_bundle(f"hf://me/film@{first}") == old
    assert len([*(cache_folder() / "bundles").iterdir()]) == 2


def test_without_a_network_the_copy_in_the_cache_answers(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.add("me/film", bundle)
    folder = hub_bundle("hf://me/film")
    hub.paths()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub_bundle("hf://me/film") == folder
    assert hub.paths() == []
    assert "HF_HUB_OFFLINE" in message("hf://me/other")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    hub.status = 503
    with caplog.at_level(logging.WARNING):
        assert hub_bundle("hf://me/film") == folder
    assert "503; try again later; taking the copy in the cache" in caplog.text
    assert "503" in message("hf://me/other")
    hub.status = 0
    hub.broken[CONFIG_FILE] = 20
    assert hub_bundle("hf://me/film") == folder


def test_nobody_there(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # whose port nobody listens on
    assert message("hf://me/film").startswith("hf://me/film: no answer from http://127.0.0.1:9 (")
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    assert message("hf://me/film").startswith("HF_ENDPOINT=file:///etc: expected https://HOST")
    monkeypatch.setenv("HF_ENDPOINT", "https://[::1")
    assert message("hf://me/film").startswith("hf://me/film: no answer from https://[::1 (")


class Clock:
    """Seconds that pass at each look."""

    def __init__(self, step: float) -> None:
        self.step, self.now = step, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Drip(io.RawIOBase):
    """So many bytes at each read, without end."""

    def __init__(self, size: int) -> None:
        self.size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return min(self.size, len(buffer))


def test_a_byte_now_and_then_is_given_up_and_a_slow_line_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_files, "monotonic", Clock(1))
    dripping = io.BufferedReader(hub_files.TimedReader(Drip(1)))
    with pytest.raises(TimeoutError, match="60 bytes in 61 seconds"):
        dripping.read(1_000)
    with pytest.raises(TimeoutError):
        io.BufferedReader(hub_files.TimedReader(Drip(1))).readline()  # as headers are read
    monkeypatch.setattr(hub_files, "monotonic", Clock(1))
    slow = io.BufferedReader(hub_files.TimedReader(Drip(10_000)))
    assert len(slow.read(10_000_000)) == 10_000_000


def test_a_hub_that_is_too_slow_is_given_up(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.add("me/film", bundle)
    monkeypatch.setattr(hub_files, "monotonic", Clock(61))
    assert message("hf://me/film") == (
        f"hf://me/film: config.json comes too slowly from {hub.endpoint}, 0 bytes in 61 seconds; "
        "try again later"
    )
    monkeypatch.setattr(hub_files, "monotonic", Clock(0))
    folder = hub_bundle("hf://me/film")
    monkeypatch.setattr(hub_files, "monotonic", Clock(61))
    assert hub_bundle("hf://me/film") == folder
    assert "taking the copy in the cache" in caplog.text


def test_a_password_in_the_address_opens_the_hub_and_is_shown_to_nobody(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/film", bundle)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint.replace("://", "://user:gehe%40im@"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub_bundle("hf://me/film")
    assert hub.requests[0][2] == f"Basic {base64.b64encode(b'user:gehe@im').decode()}"
    hub.status = 503
    expected = f"hf://me/other: {hub.endpoint} answers HTTP 503; try again later"
    assert message("hf://me/other") == expected
    for address in ("http://user:gehe/im@127.0.0.1:9", "http://gehe:im@127.0.0.1:9"):
        monkeypatch.setenv("HF_ENDPOINT", address)
        expected = "hf://me/other: no answer from http://127.0.0.1:9 ("
        assert message("hf://me/other").startswith(expected)
    for scheme, user in (("https://", "user"), ("http://", ""), ("", "user")):  # but no host
        for password in ("geheim", "1gehe/im", "123456", "gehe://im"):
            monkeypatch.setenv("HF_ENDPOINT", f"{scheme}{user}:{password}")
            expected = (
                f"HF_ENDPOINT={scheme}: expected https://HOST, or https://HOST:PORT, as an address"
            )
            assert message("hf://me/other") == expected
    for address in ("user:geheim@hub", "ftp://user:geheim@hub"):
        monkeypatch.setenv("HF_ENDPOINT", address)
        shown = address.replace("user:geheim@", "")
        expected = (
            f"HF_ENDPOINT={shown}: expected https://HOST, or https://HOST:PORT, as an address"
        )
        assert message("hf://me/other") == expected


def test_a_path_with_an_at_sign_is_no_password(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for base in (hub.endpoint, hub.endpoint.replace("127.0.0.1", "localhost")):
        monkeypatch.setenv("HF_ENDPOINT", f"{base}/mirror@2")
        with pytest.raises(OSError):
            hub_bundle("hf://me/film")
        _, path, token = hub.requests.pop()  # which notes the token alone
        assert path.startswith("/mirror@2/me/film/") and token == TOKEN
        assert hub_files.endpoint() == f"{base}/mirror@2"
    monkeypatch.setenv("HF_ENDPOINT", "http://[::1]:80/mirror@2")
    assert hub_files.endpoint() == "http://[::1]:80/mirror@2"


def test_what_a_hub_refuses_is_said(hub: Hub, bundle: Path) -> None:
    hub.add("me/film", bundle)
    assert "no such repository, or it is private" in message("hf://me/films")
    assert "no such revision" in message("hf://me/film@v2")
    del hub.repositories["me/film"].newest[TOKENIZER_FILE]
    assert message("hf://me/film").endswith(": holds no bundle, tokenizer.json is missing")
    hub.repositories["me/film"].newest.clear()
    assert message("hf://me/film") == "hf://me/film: holds no bundle, config.json is missing"
    assert not (cache_folder() / "bundles").exists() or not [
        *(cache_folder() / "bundles").iterdir()
    ]


@pytest.mark.parametrize(
    "name", ["hf://", "hf://film", "hf://a/b/c", "hf://a/b@", "hf://../b", "hf:/a", "hf://a/b@\x01"]
)
def test_a_name_that_is_none(hub: Hub, name: str) -> None:
    assert "expected hf://OWNER/REPO or hf://OWNER/REPO@REVISION" in message(name)
    assert hub.paths() == []


def test_names_as_they_are_and_as_paths() -> None:
    for written in ("hf://me/film.v2@refs/pr/1", Path("hf://me/film.v2@refs/pr/1")):
        assert HubName.parse(str(written)) == HubName("me/film.v2", "refs/pr/1")
    assert str(HubName.parse("hf:/me/film")) == "hf://me/film"
    assert split_words(["hf://me/film", "최고"]) == (Path("hf://me/film"), ["최고"])


@pytest.mark.parametrize("file", [WEIGHTS_FILE, TOKENIZER_FILE])
def test_a_file_that_is_not_the_one_of_the_configuration_is_refused(
    hub: Hub, bundle: Path, file: str
) -> None:
    hub.add("me/film", bundle)
    content = hub.repositories["me/film"].newest
    content[file] = content[file][:-1] + b" "
    expected = f"hf://me/film: the SHA-256 of {file} is not the one in its config.json"
    assert message("hf://me/film") == expected
    hub.broken[file] = 100
    name, said = message("hf://me/film").split(": ")
    assert name.startswith("hf://me/film")
    assert said == f"{file} from {hub.endpoint} was cut off after 100 bytes; try again later"
    hub.broken.clear()
    if file == WEIGHTS_FILE:
        content[file] += bytes(2 << 20)
        assert f"{file} is larger than" in message("hf://me/film")
    assert not [*(cache_folder() / "bundles").iterdir()]


def test_a_file_in_chunks_that_is_cut_off(hub: Hub, bundle: Path) -> None:
    hub.add("me/film", bundle)
    hub.headers = {"Transfer_Encoding": "chunked"}  # where the bundle's text is no chunk
    said = f"hf://me/film: config.json from {hub.endpoint} was cut off; try again later"
    assert message("hf://me/film") == said


def test_a_configuration_that_is_none(hub: Hub, bundle: Path) -> None:
    (bundle / CONFIG_FILE).write_text("{}")
    hub.add("me/film", bundle)
    assert message("hf://me/film").startswith("hf://me/film: its config.json is not the config")


def test_a_damaged_copy_is_fetched_again(hub: Hub, bundle: Path) -> None:
    hub.add("me/film", bundle)
    folder = hub_bundle("hf://me/film")
    (folder / WEIGHTS_FILE).write_bytes(b"cut off")
    assert Predictor.load("hf://me/film")(TEXTS) == Predictor.load(bundle)(TEXTS)
    for reference in (cache_folder() / "names").glob("*.json"):
        reference.write_text(json.dumps({"commit": "x", "bundle": "../../bundle"}))
    assert hub_bundle("hf://me/film") == folder


def test_a_token_goes_to_the_hub_and_to_nobody_else(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.add("me/film", bundle, is_private=True)
    assert "a token in HF_TOKEN may help" in message("hf://me/film")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "the token was not enough" in message("hf://me/film")
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(f"{TOKEN}\n")
    hub.requests.clear()
    hub_bundle("hf://me/film")
    tokens = {path.startswith("/large/"): token for _, path, token in hub.requests}
    assert tokens == {False: TOKEN, True: ""}


def test_a_token_is_shown_again_where_the_hub_sends_us_on_to_itself(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/film", bundle, is_private=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.sends_on = hub.endpoint.replace("127.0.0.1", "localhost")  # another host
    assert "the token was not enough" in message("hf://me/film")
    assert [token for _, _, token in hub.requests] == [TOKEN, ""]
    hub.sends_on = "/.."  # as huggingface.co does for small files, without its name
    assert Predictor.load("hf://me/film")(TEXTS) == Predictor.load(bundle)(TEXTS)


@pytest.mark.parametrize("token", ["hf_one\nhf_two", "hf_열쇠"])
def test_a_token_that_is_none_is_not_shown(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    hub.add("me/film", bundle)
    monkeypatch.setenv("HF_TOKEN", token)
    line = message("hf://me/film")
    assert "see HF_TOKEN" in line and "hf_" not in line
    assert hub.paths() == []


@pytest.mark.parametrize("place", ["ftp://127.0.0.1:9/x", "file:///etc/hostname"])
def test_being_sent_on_to_no_address_of_the_web(hub: Hub, bundle: Path, place: str) -> None:
    hub.add("me/film", bundle)
    hub.sends_on = place
    assert message("hf://me/film").startswith("hf://me/film: ")


@pytest.mark.parametrize("length", ["", "x", "-1", "9" * 5_000])
def test_a_length_that_makes_no_sense_is_ignored(hub: Hub, bundle: Path, length: str) -> None:
    hub.add("me/film", bundle)
    hub.headers = {"Content_Length": length, "Connection": "close"}
    assert Predictor.load("hf://me/film")(TEXTS) == Predictor.load(bundle)(TEXTS)


def test_a_configuration_of_a_giant_is_refused_before_its_weights_are_fetched(
    hub: Hub, bundle: Path
) -> None:
    config = json.loads((bundle / CONFIG_FILE).read_text())
    config |= {"vocab_size": 2**31 - 1, "embedding_dim": 2**31 - 1}
    (bundle / CONFIG_FILE).write_text(json.dumps(config))
    hub.add("me/film", bundle)
    assert "GB of memory" in message("hf://me/film")
    assert not [path for path in hub.paths() if path.endswith(WEIGHTS_FILE)]
    assert not [*(cache_folder() / "bundles").iterdir()]


def test_a_cache_that_cannot_be_locked_is_read(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/film", bundle)
    folder = hub_bundle("hf://me/film")
    for lock in (cache_folder() / "names").glob("*.lock"):
        lock.unlink()
        lock.mkdir()  # as in an image that nobody may write to
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub_bundle("hf://me/film") == folder


def test_a_home_that_is_not_there(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("me/film", bundle)
    monkeypatch.setenv("HF_HOME", "~nobody-of-that-name/hf")
    hub_bundle("hf://me/film")  # without a token
    monkeypatch.setenv("NSMC_CACHE", "~nobody-of-that-name/cache")
    expected = "~nobody-of-that-name/cache: no such folder; set NSMC_CACHE to one"
    assert message("hf://me/film") == expected


def test_several_that_start_at_once_fetch_it_once(hub: Hub, bundle: Path) -> None:
    hub.add("me/film", bundle)
    code = f"from nsmc import Predictor; print(Predictor.load('hf://me/film')({TEXTS!r}))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for _ in range(4)
    ]
    answers = {process.communicate()[0] for process in processes}
    assert answers == {f"{Predictor.load(bundle)(TEXTS)}\n"}
    assert len([path for path in hub.paths() if path.startswith("/large/")]) == 1


def test_the_command_takes_such_a_name_wherever_it_takes_a_bundle(
    hub: Hub,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.add("me/film", bundle)
    monkeypatch.chdir(tmp_path)
    labels = Path("labelled.tsv")
    labels.write_text("id\tdocument\tlabel\n1\t최고\t1\n2\t별로\t0\n", encoding="utf-8")
    name, of_file = "hf://me/film@main", ["--input", str(labels)]
    for words in (
        ["predict", name, *TEXTS],
        ["predict", name, *of_file],
        ["explain", name, *TEXTS],
        ["info", name],
        ["evaluate", name, *of_file],
        ["compare", name, "hf://me/film", *of_file],
        ["convert", name, "--to", "float16"],
        ["convert", name, "--to", "html"],
    ):
        assert main(words) == 0, capsys.readouterr().err
        assert capsys.readouterr().err == ""
    assert {path.name for path in tmp_path.iterdir()} >= {"film-float16", "film.html"}
    assert len([*(cache_folder() / "bundles").iterdir()]) == 1
    assert main(["predict", "hf://film", "최고"]) == 1
    assert capsys.readouterr().err.startswith("nsmc: error: hf://film: expected hf://OWNER/REPO")
    assert main(["evaluate", str(bundle), *of_file, "--reference", name]) == 1
    assert "does not say what its validation reviews are like" in capsys.readouterr().err
