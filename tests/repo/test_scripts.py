"""./run, ./test and scripts/install, in a checkout of their own with an interpreter that only writes down its calls.

PATH holds the few tools of a bare system and what the test adds. That a real Python accepts these calls is what every
run of ./test shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

SCRIPTS = ["run", "test", "scripts/install", "scripts/sdk", ".ci/run"]
TOOLS = [
    "sh",
    "basename",
    "cat",
    "chmod",
    "cksum",
    "cp",
    "dirname",
    "env",
    "flock",
    "id",
    "mkdir",
    "readlink",
    "rm",
]

PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
  *ensurepip*) [ -z "${WITHOUT_VENV:-}" ] ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip --version") [ -x .venv/bin/python ] ;;
  "-m pip install"*) [ -z "${OFFLINE:-}" ] ;;
  *"${FAILING:-nothing fails}"*) exit 1 ;;
esac
"""
# uv holds .venv/.lock while it installs: a set-up that held it too would wait for itself.
UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
[ ! -d .venv ] || flock -n .venv/.lock sh -c : || exit 1
[ "$1" != venv ] || { mkdir -p .venv/bin && cp "$(dirname "$0")/python3" .venv/bin/python; }
"""


class Checkout:
    """A copy of the scripts. `calls` is what the interpreter was asked to do in the last `sh`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tools = root / "tools"
        self.tools.mkdir()
        for name in SCRIPTS:
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        for lock in ("requirements.lock", "requirements-bench.lock", "requirements-dev.lock"):
            (root / lock).write_text("one==1\n")
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.tools / tool).symlink_to(found)
        self.add_tool("python3", PYTHON)

    def add_tool(self, name: str, script: str) -> None:
        (self.tools / name).unlink(missing_ok=True)
        (self.tools / name).write_text(script)
        (self.tools / name).chmod(0o755)

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={"PATH": str(self.tools), "CALLS": str(self.root / "calls"), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def sh(self, *command: str, **variables: str) -> tuple[int, str]:
        (self.root / "calls").unlink(missing_ok=True)
        process = self.start(*command, **variables)
        said, _ = process.communicate()
        return process.returncode, said

    @property
    def calls(self) -> list[str]:
        return (self.root / "calls").read_text().splitlines()

    @property
    def installs(self) -> list[str]:
        return [call for call in self.calls if "pip install" in call]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_executable_and_parses(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["sh", "-n", ROOT / script], check=True)


@pytest.mark.parametrize(
    ("words", "becomes"),
    [
        ([], "serve"),
        (["--port", "9000"], "serve --port 9000"),
        (["--help"], "serve --help"),
        (["serve", "--port", "9000"], "serve --port 9000"),
        (["say", "Hello there."], "say Hello there."),
        (["bench"], "bench"),
    ],
)
def test_run_becomes_the_gateway(checkout: Checkout, words: list[str], becomes: str) -> None:
    assert checkout.sh("./run", *words)[0] == 0
    assert checkout.calls[-1] == f"-m gateway {becomes}"


def test_the_first_run_installs_by_hash_and_the_second_nothing(checkout: Checkout) -> None:
    _, said = checkout.sh("./run")
    (install,) = checkout.installs
    assert "--require-hashes" in install
    assert install.endswith("/requirements.lock")
    assert "installing requirements.lock" in said
    assert checkout.sh("./run") == (0, "")
    assert checkout.calls == ["-m gateway serve"]


def test_what_measures_is_installed_when_it_is_asked_for(checkout: Checkout) -> None:
    checkout.sh("./run", "bench", "compare")
    (install,) = checkout.installs
    assert install.endswith("/requirements-bench.lock")


def test_a_changed_lock_is_installed(checkout: Checkout) -> None:
    checkout.sh("./run")
    (checkout.root / "requirements.lock").write_text("one==2\n")
    checkout.sh("./run")
    assert len(checkout.installs) == 1


def test_a_failed_installation_is_tried_again(checkout: Checkout) -> None:
    status, said = checkout.sh("./run", OFFLINE="yes")
    assert status != 0
    assert "could not install requirements.lock" in said
    assert "-m gateway serve" not in checkout.calls
    assert checkout.sh("./run")[0] == 0
    assert len(checkout.installs) == 1


def test_uv_is_used_where_it_is(checkout: Checkout) -> None:
    checkout.add_tool("uv", UV)
    assert checkout.sh("./run")[0] == 0
    (install,) = checkout.installs
    assert install.startswith("uv pip install")
    assert "--require-hashes" in install


def test_without_the_right_to_install_it_says_what_to_type(checkout: Checkout) -> None:
    checkout.add_tool("id", "#!/bin/sh\necho 1000\n")
    checkout.add_tool("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$CALLS"\n')
    status, said = checkout.sh("./run", WITHOUT_VENV="yes")
    assert status != 0
    assert "\n  sudo apt-get update && sudo apt-get install -y python3-venv\n" in said
    assert [call for call in checkout.calls if call.startswith("apt-get")] == []


def test_root_gets_the_missing_package(checkout: Checkout) -> None:
    checkout.add_tool("id", "#!/bin/sh\necho 0\n")
    checkout.add_tool("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$CALLS"\n')
    assert checkout.sh("./run", WITHOUT_VENV="yes")[0] == 0
    assert any(call.endswith(" python3-venv") for call in checkout.calls)


def test_without_python_it_says_so(checkout: Checkout) -> None:
    checkout.add_tool("python3", "#!/bin/sh\nexit 1\n")
    status, said = checkout.sh("./run")
    assert status != 0
    assert "needs Python 3.11 or newer" in said


@pytest.mark.skipif(shutil.which("flock") is None, reason="without flock they may both install")
def test_two_first_runs_take_turns(checkout: Checkout) -> None:
    runs = [checkout.start("./run") for _ in range(4)]
    for run in runs:
        run.communicate()
    assert [run.returncode for run in runs] == [0] * 4
    assert len(checkout.installs) == 1
    assert checkout.calls.count("-m gateway serve") == 4


def test_test_checks_everything_and_ends_with_the_tests(checkout: Checkout) -> None:
    assert checkout.sh("./test")[0] == 0
    assert checkout.installs[0].endswith("/requirements-dev.lock")
    assert [call.split()[1] for call in checkout.calls[-5:]] == [
        "ruff",
        "ruff",
        "mypy",
        "--no-logo",
        "pytest",
    ]


def test_one_failed_check_fails_all_but_hides_none(checkout: Checkout) -> None:
    status, said = checkout.sh("./test", FAILING="mypy")
    assert status != 0
    assert said.endswith("failed: types\n")
    assert checkout.calls[-1] == "-m pytest"


def test_test_with_arguments_only_runs_pytest(checkout: Checkout) -> None:
    checkout.sh("./test")
    checkout.sh("./test", "tests/core", "-k", "flush")
    assert checkout.calls == ["-m pytest tests/core -k flush"]


def test_ci_installs_what_is_missing_where_it_may(checkout: Checkout) -> None:
    checkout.add_tool("id", "#!/bin/sh\necho 0\n")
    checkout.add_tool(
        "apt-get", '#!/bin/sh\necho "apt-get $*" >>"$CALLS"\n[ ! -x policy ] || echo no services\n'
    )
    checkout.add_tool("ffmpeg", "#!/bin/sh\n")
    status, said = checkout.sh(".ci/run", POLICY_RC_D="policy")
    assert status == 0
    (install,) = [call for call in checkout.calls if call.startswith("apt-get install")]
    packages = "caddy chromium espeak-ng haproxy festival nginx prometheus slowhttptest nodejs"
    packages += " iproute2 node-ws festvox-kallpc16k"
    assert install.endswith(f" {packages}")
    assert "no services" in said
    assert not (checkout.root / "policy").exists()
    assert checkout.calls[-1] == "-m pytest"


def test_ci_goes_on_without_what_cannot_be_installed(checkout: Checkout) -> None:
    checkout.add_tool("id", "#!/bin/sh\necho 0\n")
    checkout.add_tool("apt-get", "#!/bin/sh\nexit 100\n")
    status, said = checkout.sh(".ci/run", POLICY_RC_D="policy")
    assert status == 0
    packages = (
        "caddy chromium espeak-ng ffmpeg haproxy festival nginx prometheus slowhttptest nodejs"
    )
    packages += " iproute2 node-ws festvox-kallpc16k"
    assert f"without {packages}: their tests are skipped" in said
    assert not (checkout.root / "policy").exists()
    assert checkout.calls[-1] == "-m pytest"
