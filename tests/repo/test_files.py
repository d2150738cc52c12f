"""What no file of the project may hold, and which files it must have."""

from __future__ import annotations

import re

import pytest

from tests.support.checkout import ROOT, project_files

# In pieces, so that this file does not hold them either.
FOREIGN = {
    "a registry's host": [
        "pypi" + r"\.org",
        "python" + r"hosted\.org",
        "npm" + r"js\.org",
        "yarn" + r"pkg\.com",
        "crates" + r"\.io",
        "proxy\\.golang" + r"\.org",
    ],
    "a path of one machine": [
        "(?<![\\w.])/" + "work/",
        "/" + "root/",
        "/home/" + r"\w",
        "/" + "Users/",
        "/opt/" + "(pypi|wheels)",
    ],
    "a paper that is not in the project": [
        r"\bshar" + "ed/",
        "design" + r"\.md",
        "house-" + "style",
        "measure" + r"ments\.md",
        "user-ne" + r"eds\.md",
    ],
    "an unfinished merge": ["^" + "<{7} ", "^" + ">{7} ", "^" + "={7}$"],
}


def text_files() -> dict[str, str]:
    texts = {}
    for path in project_files():
        content = path.read_bytes()
        if b"\0" not in content:
            texts[str(path.relative_to(ROOT))] = content.decode()
    return texts


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_holds_what_is_not_the_projects(what: str) -> None:
    pattern = re.compile("|".join(FOREIGN[what]), re.IGNORECASE)
    found = [
        f"{name}:{number}: {line}"
        for name, text in text_files().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_the_licence_is_the_apache_licence_in_full() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


def test_the_makefile_has_every_target_that_contributors_are_told_of() -> None:
    told = re.findall(r"`make ([a-z -]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    makefile = (ROOT / "Makefile").read_text()
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony.group(1).split()) == rules
    assert told
    assert {target for targets in told for target in targets.split()} <= rules
