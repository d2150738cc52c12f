"""Configuration: which place wins, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, load_config


def written(folder: Path, toml: str) -> Path:
    file = folder / "gateway.toml"
    file.write_text(toml, encoding="utf-8")
    return file


def test_nothing_need_be_said() -> None:
    assert load_config({}) == Config()
    assert load_config({"PATH": "/bin", "GATEWAYS": "2"}) == Config()


def test_the_file_goes_before_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nport = 9000\n")
    assert load_config({}, file).server.port == 9_000
    assert load_config({}, file).server.host == Config().server.host


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\nport = 9000\nlog_level = "debug"\n')
    config = load_config({"GATEWAY_SERVER__PORT": "9001"}, file)
    assert (config.server.port, config.server.log_level) == (9_001, "debug")


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nport = 9000\n")
    assert load_config({"GATEWAY_CONFIG": str(file)}).server.port == 9_000
    assert load_config({"GATEWAY_CONFIG": ""}).server.port == 8_080


def test_a_file_that_is_named_goes_before_the_one_in_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nport = 9000\n")
    assert load_config({"GATEWAY_CONFIG": "/does/not/exist"}, file).server.port == 9_000


def test_values_of_the_environment_take_their_types() -> None:
    config = load_config(
        {
            "GATEWAY_LIMITS__LOOKAHEAD": "3",
            "GATEWAY_ENGINES__TONE__REALTIME_FACTOR": "0.5",
            "GATEWAY_MODELS": '{"mine": {"engine": "tone", "http": {"speed": [1, 2]}}}',
            "GATEWAY_MODELS__MINE__LANGUAGES": '["en", "de"]',
            "GATEWAY_DEFAULT_MODEL": "mine",
        }
    )
    assert config.limits.lookahead == 3
    assert config.engines.tone.realtime_factor == 0.5
    assert list(config.models) == ["mine"]
    assert config.models["mine"].languages == ("en", "de")
    assert config.models["mine"].http.speed == (1.0, 2.0)
    assert config.models["mine"].http.pitch is None


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[server]\nport = 70000", ["server.port", "<= 65535"]),
        ('[server]\nport = "8080"', ["server.port", "`int`", "`str`"]),
        ('[server]\nlog_level = "loud"', ["server.log_level", "loud"]),
        ("[server]\nprot = 1", ["server", "prot"]),
        ("[sever]\nport = 1", ["sever"]),
        ("server = 1", ["server", "`object`"]),
        ("[limits]\nlookahead = 0", ["limits.lookahead", ">= 1"]),
        ("[limits]\nlookahead = 9", ["limits.lookahead", "<= 8"]),
        ("[limits]\nlookahead = 1.5", ["limits.lookahead", "`int`"]),
        (
            "[limits]\nmessage_bytes_max = 2_000_000",
            ["limits.message_bytes_max", "frame_bytes_max"],
        ),
        ("[limits]\ntext_chars_max = 200_000", ["limits.text_chars_max", "chars_pending_max"]),
        ("[limits]\nwhole_chars_max = 200_000", ["limits.whole_chars_max", "text_chars_max"]),
        ("[engines.tone]\nsample_rate = 11_025", ["engines.tone.sample_rate", "multiple of 10"]),
        ("[engines.tone]\nrealtime_factor = nan", ["engines.tone.realtime_factor", ">= 0"]),
        ('default_model = "nobody"', ["default_model", "nobody", "espeak, tone"]),
        ("models = {}", ["default_model"]),
        ("[models.espeak]\ndescription = 'mute'", ["models", "engine"]),
        ("[models.espeak]\nengine = 'festival'", ["models", "engine", "festival"]),
        ("[models.espeak]\nengine = 'tone'\nsample_rates = [100]", ["sample_rates", ">= 8000"]),
        (
            "[models.espeak]\nengine = 'tone'\nhttp.speed = [2, 1]",
            ["models.espeak.http.speed", "2.0"],
        ),
        ("[models.espeak]\nengine = 'tone'\nhttp.speed = [0, 1]", ["http.speed[0]", ">= 0.5"]),
        ("[models.espeak]\nengine = 'tone'\nhttp.speed = [1]", ["http.speed", "length 2"]),
        ("[models.espeak]\nengine = 'tone'\nhttp.tempo = [1, 2]", ["http", "tempo"]),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(
    tmp_path: Path, toml: str, words: list[str]
) -> None:
    file = written(tmp_path, toml)
    with pytest.raises(ConfigError) as refused:
        load_config({}, file)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GATEWAY_SERVER__PORT", "many", ["environment", "server.port", "`int`"]),
        ("GATEWAY_SERVER__PORT", "-1", ["environment", "server.port", ">= 0"]),
        ("GATEWAY_SERVER__PORT", "", ["environment", "server.port"]),
        ("GATEWAY_SERVER__PROT", "1", ["environment", "prot"]),
        ("GATEWAY_PORT", "9000", ["environment", "port"]),
        (
            "GATEWAY_MODELS__ESPEAK__LANGUAGES",
            "[en]",
            ["GATEWAY_MODELS__ESPEAK__LANGUAGES", "JSON"],
        ),
        ("GATEWAY_MODELS__ESPEAK__LANGUAGES", "en", ["environment", "models"]),
    ],
)
def test_a_wrong_variable_is_refused(variable: str, value: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config({variable: value})
    for word in words:
        assert word in str(refused.value)


def test_a_value_has_no_keys() -> None:
    with pytest.raises(ConfigError, match="GATEWAY_SERVER__PORT__X: port is a value"):
        load_config({"GATEWAY_SERVER__PORT": "1", "GATEWAY_SERVER__PORT__X": "1"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"port = ", "gateway.toml: "),
        (b"\xff\xfe", "gateway.toml: 'utf-8'"),
        (None, "No such file"),
    ],
    ids=["not TOML", "not UTF-8", "missing"],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "gateway.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load_config({}, file)
    with pytest.raises(ConfigError, match=str(tmp_path)):
        load_config({}, tmp_path)
