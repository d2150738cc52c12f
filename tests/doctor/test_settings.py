"""The configuration as `gateway doctor` sees it: every stray key with its source, and what stands open."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from gateway.config import AccountsConfig, Config, ServerConfig, TracingConfig
from gateway.doctor.finding import Finding, Status
from gateway.doctor.settings import check_config, check_exposure, check_tracing
from tests.support.checkout import ROOT


def checked(tmp_path: Path, toml: str, **environment: str) -> tuple[list[Finding], Config | None]:
    file = tmp_path / "gateway.toml"
    file.write_text(toml, encoding="utf-8")
    return check_config(environment, file)


def test_what_is_delivered_is_well() -> None:
    (finding,), config = check_config({}, ROOT / "config" / "gateway.toml")
    assert (finding.status, config) == (Status.OK, Config())


def test_every_stray_key_is_named_with_what_it_could_have_meant(tmp_path: Path) -> None:
    found, config = checked(
        tmp_path,
        "prot = 1\n[server]\nprot = 2\n[limits]\ncontexts_mx = 3\n"
        "[models.tone]\nengine = 'tone'\nhttp.tempo = [1, 2]\n[sever]\nport = 1\n",
        GATEWAY_SERVER__HOTS="localhost",
        GATEWAY_LIMITS__LOOKAHEAD="3",
    )
    assert config is None
    assert {finding.status for finding in found} == {Status.FAIL}
    said = [f"{finding.saw} -> {finding.advice}" for finding in found]
    for words, meant in (
        ("no key prot", ""),
        ("no key server.prot", "did you mean: port"),
        ("no key limits.contexts_mx", "contexts_max"),
        ("no key models.tone.http.tempo", "there is: pitch, speed, volume"),
        ("no key sever", "did you mean: server"),
        ("GATEWAY_SERVER__HOTS: there is no key server.hots", "host"),
    ):
        assert any(words in line and meant in line for line in said), (words, said)
    assert len(found) == 6


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[server\n", "gateway.toml: "),
        ("[server]\nport = 70000\n", "server.port"),
        ("server = 1\n", "server"),
        ("models = 1\n", "models"),
        ("[models]\ntone = 1\n", "models"),
        ('default_model = "nobody"\n', "nobody"),
        ('[server]\nmetrics_from = ["here"]\n', "server.metrics_from"),
        ('[server]\nmetrics_from = ["10.0.0.1/8"]\n', "server.metrics_from"),
    ],
)
def test_other_mistakes_are_named_too(tmp_path: Path, toml: str, words: str) -> None:
    (finding,), config = checked(tmp_path, toml)
    assert (finding.status, config) == (Status.FAIL, None)
    assert words in finding.saw


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (finding,), config = check_config({}, tmp_path / "none.toml")
    assert (finding.status, config) == (Status.FAIL, None)
    assert "No such file" in finding.saw


def exposed(**server: object) -> dict[str, Status]:
    """The worst that is said of each check."""
    changed = msgspec.convert(server, ServerConfig)
    found = check_exposure(msgspec.structs.replace(Config(), server=changed))
    worst: dict[str, Status] = {}
    for finding in sorted(found, key=lambda finding: list(Status).index(finding.status)):
        worst[finding.check] = finding.status
    return worst


@pytest.mark.parametrize(
    ("server", "worst"),
    [
        ({}, {"exposure": "ok"}),
        ({"host": "0.0.0.0"}, {"exposure": "fail"}),
        ({"host": "0.0.0.0", "insecure": True}, {"exposure": "warn"}),
        ({"host": "0.0.0.0", "trusted_proxies": ["10.0.0.1"]}, {"exposure": "fail"}),
        (
            {"host": "0.0.0.0", "insecure": True, "trusted_proxies": ["10.0.0.1"]},
            {"exposure": "ok"},
        ),
        ({"trusted_proxies": ["0.0.0.0/0"]}, {"exposure": "ok", "proxies": "fail"}),
        ({"trusted_proxies": ["::/0"]}, {"exposure": "ok", "proxies": "fail"}),
        ({"trusted_proxies": ["10.0.0.0/8"]}, {"exposure": "ok", "proxies": "warn"}),
        ({"trusted_proxies": ["10.1.0.0/16"]}, {"exposure": "ok"}),
        ({"metrics": "all"}, {"exposure": "ok"}),
        ({"host": "::", "metrics": "all"}, {"exposure": "fail", "metrics": "warn"}),
        ({"metrics_from": ["0.0.0.0/0"]}, {"exposure": "ok", "metrics": "fail"}),
        ({"allowed_origins": ["*"]}, {"exposure": "ok", "origins": "warn"}),
    ],
)
def test_what_stands_open(server: dict[str, object], worst: dict[str, str]) -> None:
    assert exposed(**server) == worst


def test_with_keys_others_may_reach_it() -> None:
    config = msgspec.structs.replace(
        Config(),
        server=ServerConfig(host="0.0.0.0"),
        accounts=AccountsConfig(database="accounts.db"),
    )
    (finding,) = check_exposure(config)
    assert finding.status is Status.WARN
    assert "who has a key" in finding.saw


def test_what_traces_need(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = Config(tracing=TracingConfig(endpoint="http://127.0.0.1:9/v1/traces"))
    assert check_tracing(Config()) == []
    assert [finding.status for finding in check_tracing(traced)] == [Status.OK]
    monkeypatch.delitem(sys.modules, "gateway.telemetry.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    (finding,) = check_tracing(traced)
    assert finding.status is Status.FAIL
    assert "requirements-otel.lock" in finding.saw
