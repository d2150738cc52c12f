"""The configuration: typed, complete by default, refused at the start when it is wrong.

Values come from the defaults below, then from a TOML file, then from the environment: `GATEWAY_` and the path in upper
case with `__` between its parts, so `GATEWAY_SERVER__PORT=9000`. Lists are written as JSON there. Nothing else in the
gateway reads the environment. config/gateway.toml shows every key with its default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from gateway.core.limits import Limits
from gateway.core.params import Controls, Range
from gateway.core.vocabulary import Route
from gateway.fronts.origins import ANY, read_origin
from gateway.fronts.proxies import is_loopback, read_networks

ENVIRONMENT_PREFIX = "GATEWAY_"
FILE_VARIABLE = "GATEWAY_CONFIG"
RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class ConfigError(Exception):
    """The configuration is wrong; the message says where and what is allowed."""


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to listen, and how to end."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics: Literal["loopback", "off", "all"] = "loopback"
    """Who may read `GET /metrics`."""
    metrics_from: tuple[str, ...] = ()
    """With `loopback`: addresses and networks that may read it, too."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may use the gateway, beside its own; `*` = all."""
    order: Literal["deadline", "arrival"] = "deadline"
    """Who is next where there are fewer places than people; `arrival` is there to measure what `deadline` is worth."""
    insecure: bool = False
    """Let everybody in who reaches the port, on other addresses than this machine's own, too."""
    shutdown_ms: Annotated[int, Meta(ge=0, le=600_000)] = 10_000
    """Within this time after SIGTERM the process ends."""


class EspeakConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """espeak-ng, in worker processes."""

    workers: Annotated[int, Meta(ge=0, le=256)] = 0
    """Segments made at once; 0 = one per core."""


class ToneConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tones instead of speech: for tests and to measure the gateway itself."""

    sample_rate: Annotated[int, Meta(ge=8_000, le=48_000, multiple_of=10)] = 22_050
    """A multiple of 10, so that each tone is a whole number of samples long."""
    realtime_factor: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Time that a second of audio takes to make; 0 = as fast as possible."""
    first_delay_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    """Time before the first audio of each segment."""


class EnginesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each engine's own settings. An engine runs if a model uses it."""

    espeak: EspeakConfig = EspeakConfig()
    tone: ToneConfig = ToneConfig()


class AudioConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Encoding."""

    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    """Threads that encode; 0 = one per core."""


class AccountsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may speak."""

    database: str = ""
    """SQLite file with the keys; empty = nobody needs one."""
    charge: bool = False
    """Whether speech costs credits; else it is only counted."""


class TracingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Traces for OpenTelemetry."""

    endpoint: str = ""
    """URL that takes OTLP over HTTP; empty = no traces."""
    sample_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Share of the requests that are traced, of those whose caller has not decided it."""
    spans_pending_max: Annotated[int, Meta(ge=1, le=100_000)] = 2_048
    """Ended spans that may wait to be sent; more are dropped."""


Speed = Annotated[float, Meta(ge=0.5, le=5.0)]
Pitch = Annotated[float, Meta(ge=-12.0, le=12.0)]
Volume = Annotated[float, Meta(ge=0.0, le=2.0)]


class ControlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model can do on one route, as [lowest, highest]; a control that is left out it has not."""

    speed: tuple[Speed, Speed] | None = None
    pitch: tuple[Pitch, Pitch] | None = None
    volume: tuple[Volume, Volume] | None = None


FULL = ControlsConfig(speed=(0.5, 4.0), pitch=(-9.0, 9.0), volume=(0.0, 2.0))
"""What espeak-ng can do; beyond that it would take the limit without a word."""


def controls_of(config: ControlsConfig) -> Controls:
    """The same as the core knows it."""

    def range_(bounds: tuple[float, float] | None) -> Range | None:
        return None if bounds is None else Range(*bounds)

    return Controls(range_(config.speed), range_(config.pitch), range_(config.volume))


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name that callers use for an engine with capabilities."""

    engine: Literal["espeak", "tone"]
    description: str = ""
    default_voice: str = ""
    """Empty = the engine's own."""
    languages: tuple[str, ...] = ()
    """Only voices that speak one of these are offered; empty = all."""
    sample_rates: tuple[Annotated[int, Meta(ge=8_000, le=48_000)], ...] = RATES
    millicredits_per_char: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    """What a character costs, in thousandths of a credit."""
    price_step_chars: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """Characters are charged in started steps of so many."""
    http: ControlsConfig = FULL
    websocket: ControlsConfig = FULL

    def controls(self) -> dict[Route, ControlsConfig]:
        """The capabilities by route."""
        return {Route.HTTP: self.http, Route.WEBSOCKET: self.websocket}


class DialectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vendor's protocol."""

    enabled: bool = True
    """Whether its routes are there."""
    catalog: str = ""
    """TOML file with its models and voices; empty = the one of the gateway."""
    unsupported: Literal["ignore", "refuse"] = "ignore"
    """What becomes of a control that the model has not on the route: left out and named in the answer, or an error."""


class DialectsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The protocols of other systems, whose clients change the host and nothing else."""

    yourvoic: DialectConfig = DialectConfig()
    gistmag: DialectConfig = DialectConfig()
    sarvam: DialectConfig = DialectConfig()

    def enabled(self) -> dict[str, DialectConfig]:
        """Those that are there, by name."""
        all_ = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: dialect for name, dialect in all_.items() if dialect.enabled}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything. The first model of the file is no better than the others: `default_model` names the default."""

    server: ServerConfig = ServerConfig()
    limits: Limits = Limits()
    accounts: AccountsConfig = AccountsConfig()
    tracing: TracingConfig = TracingConfig()
    audio: AudioConfig = AudioConfig()
    engines: EnginesConfig = EnginesConfig()
    dialects: DialectsConfig = DialectsConfig()
    default_model: str = "espeak"
    models: dict[str, ModelConfig] = msgspec.field(
        default_factory=lambda: {
            "espeak": ModelConfig(
                engine="espeak", description="espeak-ng: many languages, no waiting"
            ),
            "tone": ModelConfig(engine="tone", description="tones instead of speech, for tests"),
        }
    )


class StrayKey(NamedTuple):
    """A key that does not exist: in which file or variable, below which path, and which keys there are in its place."""

    source: str
    path: tuple[str, ...]
    key: str
    known: tuple[str, ...]


def load_config(environment: Mapping[str, str], file: Path | None = None) -> Config:
    """The configuration from a file (or the one `GATEWAY_CONFIG` names) and the environment.

    Raises ConfigError naming the file or variable, the path of the key, and what is allowed.
    """
    file = config_file(environment, file)
    values: dict[str, object] = {}
    if file is not None:
        values = _read(file)
        _convert(values, str(file), strict=True)
    for variable, path in _variables(environment):
        _set(values, path, environment[variable], variable)
    config = _convert(values, "environment", strict=False)
    _check(config)
    return config


def config_file(environment: Mapping[str, str], file: Path | None) -> Path | None:
    """The file that is read: the one that is named, or the one that `GATEWAY_CONFIG` names."""
    named = environment.get(FILE_VARIABLE)
    return Path(named) if file is None and named else file


def stray_keys(environment: Mapping[str, str], file: Path | None = None) -> Iterator[StrayKey]:
    """Every key that does not exist, where `load_config` names the first. Raises ConfigError as it does for what
    cannot be read."""
    file = config_file(environment, file)
    if file is not None:
        yield from _strays(_read(file), Config, str(file), ())
    for variable, path in _variables(environment):
        values: dict[str, object] = {}
        _set(values, path, environment[variable], variable)
        yield from _strays(values, Config, variable, ())


def _strays(
    values: Mapping[str, object], section: type[msgspec.Struct], source: str, path: tuple[str, ...]
) -> Iterator[StrayKey]:
    fields = {field.name: field.type for field in msgspec.structs.fields(section)}
    for key, value in values.items():
        below = (*path, key)
        if key not in fields:
            yield StrayKey(source, path, key, tuple(fields))
        elif isinstance(value, dict) and key == "models":
            for name, model in value.items():
                if isinstance(model, dict):
                    yield from _strays(model, ModelConfig, source, (*below, name))
        elif isinstance(value, dict) and issubclass(fields[key], msgspec.Struct):
            yield from _strays(value, fields[key], source, below)


def _variables(environment: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    for variable in environment:
        if variable.startswith(ENVIRONMENT_PREFIX) and variable != FILE_VARIABLE:
            yield variable, variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None


def judge_exposure(config: Config) -> None:
    """Raises ConfigError when others than this machine could reach a gateway that asks nobody for a key."""
    server = config.server
    if not (server.insecure or config.accounts.database or is_loopback(server.host)):
        raise ConfigError(
            f"server.host is {server.host}, which others may reach, and nobody would need a key: "
            "name a file in accounts.database, or say --insecure"
        )


def _convert(values: object, source: str, *, strict: bool) -> Config:
    try:
        return msgspec.convert(values, Config, strict=strict)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from None


def _set(values: dict[str, object], path: list[str], value: str, variable: str) -> None:
    here = values
    for part in path[:-1]:
        inner = here.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{variable}: {part} is a value, not a section")
        here = inner
    if value.startswith(("[", "{")):
        try:
            here[path[-1]] = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise ConfigError(f"{variable}: not JSON: {error}") from None
    else:
        here[path[-1]] = value


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check(config: Config) -> None:
    """What one field's type cannot say."""
    limits = config.limits
    for key in ("trusted_proxies", "metrics_from"):
        try:
            read_networks(getattr(config.server, key))
        except ValueError as error:
            raise ConfigError(f"server.{key}: {error}") from None
    endpoint = config.tracing.endpoint
    if endpoint and not _is_http(endpoint):
        raise ConfigError(
            "tracing.endpoint: not like http://127.0.0.1:4318/v1/traces, with http or https"
        )
    for origin in config.server.allowed_origins:
        if origin != ANY and read_origin(origin) is None:
            raise ConfigError(
                f"server.allowed_origins: {origin!r} is not like https://example.com:8443, nor {ANY}"
            )
    if config.default_model not in config.models:
        raise ConfigError(
            f"default_model: {config.default_model!r} is not one of {', '.join(config.models)}"
        )
    for lower, upper in (
        ("text_chars_max", "chars_pending_max"),
        ("whole_chars_max", "text_chars_max"),
        ("message_bytes_max", "frame_bytes_max"),
    ):
        if getattr(limits, lower) > getattr(limits, upper):
            raise ConfigError(f"limits.{lower} is larger than limits.{upper}")
    for name, model in config.models.items():
        for route, controls in model.controls().items():
            for control in controls.__struct_fields__:
                bounds = getattr(controls, control)
                if bounds is not None and bounds[0] > bounds[1]:
                    raise ConfigError(
                        f"models.{name}.{route}.{control}: {bounds[0]} is above {bounds[1]}"
                    )
