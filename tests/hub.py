"""A stand-in for a model hub, on this machine: what `hf://` and `nsmc push` ask of one.

The addresses and answers are those that huggingface_hub's own code speaks of.
"""

import base64
import contextlib
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

TOKEN = "hf_right"

Files = dict[str, bytes]


@dataclass
class Repository:
    """Its commits, the newest last; the branch main is at that one."""

    commits: dict[str, Files] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    is_private: bool = False

    def commit(self, files: Files, message: str = "") -> str:
        """Add files to what is there; returns the commit's name."""
        content = {**self.newest, **files}
        parts = [
            *self.commits,
            *(name.encode().hex() + data.hex() for name, data in content.items()),
        ]
        name = hashlib.sha1("".join(parts).encode()).hexdigest()
        self.commits[name] = content
        self.messages.append(message)
        return name

    @property
    def newest(self) -> Files:
        return [*self.commits.values()][-1] if self.commits else {}


class Hub:
    """Repositories by name, and what was asked of the server: method, path and token."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.broken: dict[str, int] = {}  # files of which only so many bytes are sent
        self.status = 0  # that every request is answered with
        self.headers: dict[str, str] = {}  # of the answers with small files, in place of the usual
        self.sends_on = ""  # where requests for small files are sent, by a redirection
        self.holds: threading.Event | None = None  # until which no request is answered
        self.uploaded: dict[str, bytes] = {}
        self.endpoint = ""

    def add(self, name: str, folder: Path, **settings: Any) -> str:
        """A repository with the files of a folder; returns its commit."""
        repository = self.repositories.setdefault(name, Repository(**settings))
        return repository.commit({each.name: each.read_bytes() for each in folder.iterdir()})

    def paths(self) -> list[str]:
        """What was asked for since the last call."""
        found = [path for _, path, _ in self.requests]
        self.requests.clear()
        return found


@contextlib.contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # of a client that has given up
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, content: object, status: int = 200, /, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str = "") -> None:
        headers = {"X_Error_Code": code} if code else dict[str, str]()
        self.answer({"error": code or str(status)}, status, **headers)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    @property
    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def handle_request(self) -> None:
        content = self.body()
        self.hub.requests.append((self.command, self.path, self.token))
        if self.hub.holds:
            self.hub.holds.wait()
        if self.hub.status:
            self.refuse(self.hub.status)
        elif self.command in ("GET", "HEAD"):
            self.get()
        else:
            self.post(content)

    do_GET = do_HEAD = do_POST = do_PUT = handle_request  # noqa: N815 - the library's names

    # --- what is fetched ---

    def get(self) -> None:
        if self.hub.sends_on and "/resolve/" in self.path:
            self.answer(
                b"", 307, Location=self.hub.sends_on + self.path.replace("/resolve/", "/is/")
            )
            return
        if found := re.fullmatch(r"/large/(\w+/[\w.-]+)/(\w+)/([\w.]+)", self.path):
            self.send(self.hub.repositories[found[1]].commits[found[2]][found[3]], found[3])
            return
        if found := re.match(r"/api/models/(\w+/[\w.-]+)/tree/\w+", self.path):
            if found[1] not in self.hub.repositories:
                self.refuse(404, "RepoNotFound")
                return
            files = self.hub.repositories[found[1]].newest
            entries = [{"type": "file", "path": name, "size": 1, "oid": "0"} for name in files]
            self.answer(entries)
            return
        found = re.fullmatch(r"/(\w+/[\w.-]+)/(?:resolve|is)/([\w%.-]+)/([\w.]+)", self.path)
        repository = self.hub.repositories.get(found[1]) if found else None
        if found is None or repository is None or (repository.is_private and self.token != TOKEN):
            self.refuse(404 if self.token else 401, "RepoNotFound")
            return
        commit = [*repository.commits][-1] if found[2] == "main" else found[2]
        if commit not in repository.commits:
            self.refuse(404, "RevisionNotFound")
        elif found[3] not in repository.commits[commit]:
            self.refuse(404, "EntryNotFound")
        elif found[3].endswith(".safetensors"):  # large files lie elsewhere
            place = self.hub.endpoint.replace("127.0.0.1", "localhost")
            where = f"{place}/large/{found[1]}/{commit}/{found[3]}"
            self.answer(b"", 302, Location=where, X_Repo_Commit=commit)
        else:
            headers = {"X_Repo_Commit": commit, **self.hub.headers}
            self.send(repository.commits[commit][found[3]], found[3], **headers)

    def send(self, content: bytes, file: str, **headers: str) -> None:
        if file not in self.hub.broken:
            self.answer(content, **headers)
            return
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.hub.broken[file]])
        self.close_connection = True

    # --- what is uploaded ---

    def post(self, content: bytes) -> None:
        if found := re.fullmatch(r"/upload/(\w+)", self.path):
            self.hub.uploaded[found[1]] = content
            self.answer(b"")
        elif self.path == "/api/validate-yaml":
            self.validate(json.loads(content)["content"])
        elif self.token != TOKEN:
            self.refuse(401)
        elif self.path == "/api/repos/create":
            self.create(json.loads(content))
        else:
            self.post_to_repository(content)

    def validate(self, card: str) -> None:
        """As far as is known: the block is a mapping, and a license one word."""
        values = yaml.safe_load(card.split("---\n")[1]) if card.startswith("---\n") else {}
        is_good = isinstance(values, dict) and isinstance(values.get("license", ""), str)
        errors = [] if is_good else [{"message": "bad metadata"}]
        self.answer({"errors": errors, "warnings": []}, 400 if errors else 200)

    def create(self, values: dict[str, Any]) -> None:
        name = f"{values.get('organization') or 'me'}/{values['name']}"
        if not name.startswith("me/"):
            self.refuse(403)
        elif name in self.hub.repositories:
            self.answer({"url": f"{self.hub.endpoint}/{name}"}, 409)
        else:
            is_private = values.get("private", values.get("visibility") == "private")
            self.hub.repositories[name] = Repository(is_private=bool(is_private))
            self.answer({"url": f"{self.hub.endpoint}/{name}"})

    def post_to_repository(self, content: bytes) -> None:
        found = re.match(r"/(?:api/models/)?(\w+/[\w-]+)(?:\.git)?/(\S+)", self.path)
        repository = self.hub.repositories.get(found[1]) if found else None
        if found is None or repository is None:
            self.refuse(404, "RepoNotFound")
        elif found[2].startswith("branch/"):
            self.answer({})
        elif found[2] == "info/lfs/objects/batch":
            self.answer({"objects": [*map(self.place, json.loads(content)["objects"])]})
        elif found[2].startswith("preupload/"):
            files = json.loads(content)["files"]
            modes = {
                each["path"]: "lfs" if "safetensors" in each["path"] else "regular"
                for each in files
            }
            plain = {"shouldIgnore": False, "oid": None}
            self.answer(
                {
                    "files": [
                        {**plain, "path": path, "uploadMode": mode} for path, mode in modes.items()
                    ]
                }
            )
        else:
            self.commit(repository, found[2], content)

    def place(self, wanted: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{self.hub.endpoint}/upload/{wanted['oid']}"}
        return {**wanted, "actions": {"upload": upload}}

    def commit(self, repository: Repository, path: str, content: bytes) -> None:
        files, message = Files(), ""
        for line in content.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                message = value["summary"]
            elif entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "deletedFile":
                del repository.newest[value["path"]]
            else:
                files[value["path"]] = self.hub.uploaded[value["oid"]]
        name = repository.commit(files, f"{path}: {message}")
        self.answer(
            {
                "success": True,
                "commitOid": name,
                "commitUrl": f"{self.hub.endpoint}/me/x/commit/{name}",
                "hookOutput": "",
                "pullRequestUrl": None,
            }
        )
