"""`nsmc push` against a hub of our own: what arrives there, and what is said where it cannot."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import huggingface_hub.constants
import pytest

from nsmc import Predictor
from nsmc.cli import main
from nsmc.conversion import upload
from nsmc.runtime.bundle import CARD_FILE, ONNX_FILE, WEIGHTS_FILE
from nsmc.runtime.golden import write_vectors
from nsmc.runtime.loading import read_bundle
from nsmc.training.model_card import model_card
from tests.bundles import config_of, random_bundle
from tests.hub import TOKEN, Hub, running_hub

# Of huggingface_hub 2.4 itself, where it uploads a large file the older way.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NSMC_CACHE", str(tmp_path / "cache"))
        # Which the library reads when it is imported.
        monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.endpoint)
        # Large files go the older way, which can be played here.
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True, False)
        yield hub


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = random_bundle(tmp_path / "bundle", model_card(config_of(), "nsmc"))
    write_vectors(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def push(capsys: pytest.CaptureFixture[str], hub: Hub) -> "Push":
    return Push(capsys)


class Push:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: object) -> str:
        """What it prints."""
        assert main(["push", *map(str, words)]) == 0, self.capsys.readouterr().err
        return self.capsys.readouterr().out.strip()

    def refused(self, *words: object) -> str:
        """Its one line."""
        assert main(["push", *map(str, words)]) == 1
        error = self.capsys.readouterr().err.strip()
        assert "\n" not in error and error.startswith("nsmc: error: "), error
        return error.removeprefix("nsmc: error: ")


def test_the_bundle_s_files_and_nothing_else_arrive_and_are_read_from_there(
    hub: Hub, bundle: Path, push: Push
) -> None:
    expected = contents(bundle)
    (bundle / "notes.txt").write_text("mine")
    (bundle / ".env").write_text("SECRET=1")
    (bundle / "sub").mkdir()
    assert push("me/film", bundle) == "hf://me/film"
    repository = hub.repositories["me/film"]
    assert repository.newest == expected
    assert not repository.is_private
    assert repository.messages == ["commit/main: A bundle of nsmc"]
    texts = ["최고", "별로"]
    assert Predictor.load("hf://me/film")(texts) == Predictor.load(bundle)(texts)


def test_private_with_a_message_and_a_license(hub: Hub, bundle: Path, push: Push) -> None:
    words = ("--private", "--message", "첫 번째", "--license", "cc-by-4.0")
    push("hf://me/film", bundle, *words)
    repository = hub.repositories["me/film"]
    assert repository.is_private
    assert repository.messages == ["commit/main: 첫 번째"]
    card = repository.newest[CARD_FILE].decode()
    assert card == (bundle / CARD_FILE).read_text("utf-8").replace("unknown", "cc-by-4.0", 1)


def test_a_repository_that_is_there_is_changed_only_with_update(
    hub: Hub, bundle: Path, push: Push, tmp_path: Path
) -> None:
    push("me/film", bundle)
    newer = random_bundle(tmp_path / "newer", "new", seed=1)
    assert push.refused("me/film", newer) == (
        "me/film: is there already; --update adds a commit to it"
    )
    assert hub.repositories["me/film"].newest == contents(bundle)
    hub.repositories["me/film"].newest.update({"others.txt": b"theirs", ONNX_FILE: b"of before"})
    push("me/film", newer, "--update")
    # What was of the older bundle alone is gone, and what is no bundle's stays.
    assert hub.repositories["me/film"].newest == {**contents(newer), "others.txt": b"theirs"}
    assert push.refused("me/films", newer, "--update") == (
        "me/films: there is no such repository; without --update it is made"
    )


@pytest.mark.parametrize("name", [CARD_FILE, WEIGHTS_FILE])
def test_a_link_is_not_followed(
    hub: Hub, bundle: Path, push: Push, tmp_path: Path, name: str
) -> None:
    elsewhere = (bundle / name).rename(tmp_path / "elsewhere")
    (bundle / name).symlink_to(elsewhere)
    expected = "a symbolic link, which is not uploaded; put the file itself there"
    assert push.refused("me/film", bundle) == f"{bundle / name}: {expected}"
    elsewhere.unlink()  # a link to nowhere
    assert push.refused("me/film", bundle) == f"{bundle / name}: {expected}"
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    assert "no regular file, which is not uploaded" in push.refused("me/film", bundle)
    assert hub.requests == []


def test_a_link_to_the_folder_is_followed(
    hub: Hub, bundle: Path, push: Push, tmp_path: Path
) -> None:
    (tmp_path / "newest").symlink_to(bundle)
    push("me/film", tmp_path / "newest")
    assert hub.repositories["me/film"].newest == contents(bundle)


def test_a_hub_that_never_answers_is_given_up(
    hub: Hub,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    assert upload.seconds_for({"a": bytes(20_000), "b": bytes(10_000)}) == 303
    monkeypatch.setattr(upload, "seconds_for", lambda files: 0.0)
    monkeypatch.setattr(os, "_exit", leave)
    hub.holds = threading.Event()
    try:
        with pytest.raises(SystemExit, match="1"):
            main(["push", "me/film", str(bundle)])
    finally:
        hub.status = 403  # so that the thread ends
        hub.holds.set()
    assert capsys.readouterr().err == (
        "nsmc: error: me/film: the hub has not taken the bundle in 0 seconds; see what is there, "
        "and push again, with --update if there is a repository\n"
    )


def test_a_password_in_the_address_is_not_shown(
    hub: Hub, bundle: Path, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint.replace("://", "://user:geheim@"))
    hub.status = 503
    line = push.refused("me/film", bundle)
    assert f"'{hub.endpoint}/api/repos/create'" in line and "geheim" not in line
    # What the library asks a hub about itself, once in a process, it asks without either.
    sent = [token.partition(" ")[0] for method, _, token in hub.requests if method == "POST"]
    assert sent == ["Basic"]


def test_what_cannot_be_is_said_before_anything_is_asked_of_the_hub(
    hub: Hub, bundle: Path, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("film", "me/a/b", "me/film@main", ""):
        assert "expected OWNER/NAME" in push.refused(name, bundle)
    assert "--private is of a new" in push.refused("me/film", bundle, "--private", "--update")
    assert "add --update" in push.refused("me/film", bundle, "--branch", "x")
    assert "expected an identifier" in push.refused("me/film", bundle, "--license", "x: y")
    monkeypatch.delenv("HF_TOKEN")
    assert push.refused("me/film", bundle) == (
        "no token for the hub: set HF_TOKEN, or run hf auth login"
    )
    (bundle / WEIGHTS_FILE).write_bytes(b"damaged")
    assert "altered" in push.refused("me/film", bundle)
    assert hub.requests == []


def test_a_card_that_is_no_text_is_refused_before_a_repository_is_made(
    hub: Hub, bundle: Path, push: Push
) -> None:
    (bundle / CARD_FILE).write_bytes(b"\xff\xfe")
    assert push.refused("me/film", bundle).startswith(f"{bundle / CARD_FILE}: not UTF-8")
    assert hub.requests == []


def test_a_bundle_that_changes_while_it_is_checked_is_not_pushed(
    hub: Hub, bundle: Path, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_then_damaged(folder: Path) -> None:
        read_bundle(folder)
        (folder / WEIGHTS_FILE).write_bytes(b"half of another")

    monkeypatch.setattr(upload, "read_bundle", and_then_damaged)
    assert push.refused("me/film", bundle).endswith("has come there just now; push again")
    assert hub.requests == []


def test_a_link_that_comes_while_it_is_checked_is_not_followed(
    hub: Hub, bundle: Path, push: Push, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def and_then_linked(folder: Path) -> None:
        read_bundle(folder)
        (folder / CARD_FILE).rename(tmp_path / "elsewhere")
        (folder / CARD_FILE).symlink_to(tmp_path / "elsewhere")

    monkeypatch.setattr(upload, "read_bundle", and_then_linked)
    assert push.refused("me/film", bundle).endswith("has come there just now; push again")
    assert hub.requests == []


def test_a_license_replaces_that_of_a_card_with_the_ends_of_lines_of_windows(
    hub: Hub, bundle: Path, push: Push
) -> None:
    card = bundle / CARD_FILE
    expected = card.read_text("utf-8").replace("unknown", "mit", 1)
    card.write_bytes(card.read_bytes().replace(b"\n", b"\r\n"))
    push("me/film", bundle, "--license", "mit")
    assert hub.repositories["me/film"].newest[CARD_FILE].decode() == expected


def test_what_the_hub_refuses(
    hub: Hub, bundle: Path, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = push.refused("others/film", bundle)
    assert line.startswith("others/film: the token may not write there")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert push.refused("me/film", bundle).startswith("me/film: the token is refused")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.status = 500
    assert push.refused("me/film", bundle).startswith("me/film: cannot upload: ")
    hub.status = 203  # of a proxy that speaks for the hub
    assert "the answer is not one of a hub" in push.refused("me/film", bundle)
    hub.status = 0
    (bundle / CARD_FILE).write_text("---\nlicense: [1]\n---\n\n# A card\n")
    line = push.refused("me/film", bundle)
    assert "Invalid metadata in README.md" in line
    assert "the repository was made, and is empty: push again with --update" in line
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # whose port nobody listens on
    assert push.refused("me/other", bundle).startswith("me/other: cannot upload: ")


def test_without_the_library_the_extra_is_named(
    bundle: Path, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "nsmc.conversion.upload", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert 'nsmc push needs the extra "hub"' in push.refused("me/film", bundle)


def test_a_branch_of_its_own(hub: Hub, bundle: Path, push: Push) -> None:
    push("me/film", bundle)
    hub.paths()
    assert push("me/film", bundle, "--update", "--branch", "v2") == "hf://me/film@v2"
    assert "/api/models/me/film/branch/v2" in hub.paths()
    assert json.dumps(hub.repositories["me/film"].messages[-1]).startswith('"commit/v2: ')
