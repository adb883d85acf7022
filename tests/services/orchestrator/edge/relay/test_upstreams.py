"""The settings of relays: what they take, what they refuse, and that they show no key."""

import json
from pathlib import Path

import pytest

from chassis.settings import load
from services.orchestrator.edge.relay.upstreams import Upstream
from services.orchestrator.settings import Settings

KEY = "sk-0123456789abcdef"
PREFIX = "VOXFLEET_ORCHESTRATOR_"
URL = "wss://api.openai.com/v1/realtime"


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **env: str) -> str:
    """What the server says as it does not start."""
    for name, value in env.items():
        monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SystemExit) as ended:
        load(Settings, "orchestrator", [])
    assert ended.value.code == 2
    return capsys.readouterr().err


def only(settings: Settings) -> Upstream:
    (upstream,) = settings.upstreams
    return upstream


def test_nothing_is_relayed_unless_it_is_said() -> None:
    assert Settings().upstreams == ()


def test_a_model_is_asked_for_by_its_own_name_with_the_servers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}RELAYS", json.dumps({"gpt-realtime": {"url": URL, "key": KEY}}))
    upstream = only(Settings())
    assert upstream.address(extensions="") == f"{URL}?model=gpt-realtime"
    assert upstream.credentials() == {"Authorization": f"Bearer {KEY}"}
    assert upstream.is_secure
    assert not upstream.is_local


def test_a_model_may_have_another_name_upstream_or_none() -> None:
    named = only(Settings(relays={"far": {"url": "ws://127.0.0.1:9/v1/realtime", "model": "voxfleet"}}))
    assert named.address(extensions="voxfleet") == "ws://127.0.0.1:9/v1/realtime?model=voxfleet&extensions=voxfleet"
    assert named.is_local
    azure = {
        "url": "wss://x.example/openai/realtime?api-version=1&deployment=d",
        "model": "",
        "headers": {"api-key": KEY},
    }
    unnamed = only(Settings(relays={"far": azure}))
    assert unnamed.address(extensions="") == azure["url"]
    assert unnamed.credentials() == {"api-key": KEY}


def test_a_file_holds_a_table_for_each_model_and_keys_have_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    file = tmp_path / "relays.toml"
    file.write_text(f"""
        [gpt-realtime]
        url = "{URL}"
        key_file = "{tmp_path / "key"}"

        ["other.voxfleet"]
        url = "wss://voice.example.com/v1/realtime"
        headers = {{ X-Tenant = "blue" }}
    """)
    first, second = Settings(relays_file=str(file)).upstreams
    assert first.credentials() == {"Authorization": f"Bearer {KEY}"}
    assert (second.name, second.credentials()) == ("other.voxfleet", {"X-Tenant": "blue"})


def test_a_model_in_both_places_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "relays.toml"
    file.write_text(f'[far]\nurl = "{URL}"\n')
    told = refusal(monkeypatch, capsys, RELAYS=json.dumps({"far": {"url": URL}}), RELAYS_FILE=str(file))
    assert f"{PREFIX}RELAYS_FILE: " in told
    assert "far" in told


BAD = [
    ("{", "expected a JSON object"),
    ("[]", "expected a JSON object with a model's name each, got list"),
    ({"far": {}}, "far.url: Field required"),
    ({"far": "x"}, "far: Input should be a valid dictionary"),
    ({"f r": {"url": URL}}, "expected names of models"),
    ({"far": {"url": "https://a/b"}}, "far.url: expected an address that begins with wss:// or ws://"),
    ({"far": {"url": "wss://"}}, "far.url: expected an address"),
    ({"far": {"url": "wss://a:99999/"}}, "far.url: "),
    ({"far": {"url": "wss://a/ü"}}, "far.url: expected an address"),
    ({"far": {"url": "wss://user:pw@a/"}}, "far.url: expected an address without user"),
    ({"far": {"url": "wss://a/?model=x"}}, "far.url: expected an address without model"),
    ({"far": {"url": URL, "keys": KEY}}, "far.keys: Extra inputs are not permitted"),
    ({"far": {"url": URL, "key": f"{KEY} "}}, "far.key: expected 1 to 4096 ASCII characters"),
    ({"far": {"url": URL, "key": KEY, "key_file": "/x"}}, "far: expected key or key_file, got both"),
    ({"far": {"url": URL, "key_file": "/no/such/file"}}, "far.key_file: expected a readable text file"),
    ({"far": {"url": URL, "headers": {"a b": "c"}}}, "far.headers: expected names and values of HTTP headers"),
    ({"far": {"url": URL, "headers": {"a": "c\r\nb: d"}}}, "far.headers: expected names and values of HTTP headers"),
    ({"far": {"url": URL, "headers": {"OpenAI-Beta": "c"}}}, "far.headers: expected no OpenAI-Beta"),
    ({"far": {"url": URL, "key": KEY, "headers": {"authorization": "c"}}}, "far.headers: expected no Authorization"),
]


@pytest.mark.parametrize(("value", "expected"), BAD)
def test_what_is_wrong_is_named_and_no_key_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: object, expected: str
) -> None:
    told = refusal(monkeypatch, capsys, RELAYS=value if isinstance(value, str) else json.dumps(value))
    assert told.startswith(f"orchestrator: {PREFIX}RELAYS: ")
    assert expected in told
    assert KEY not in told


@pytest.mark.parametrize("bad", ["[far", '[far]\nurl = "ftp://a"', f'[far]\nurl = "{URL}"\nkey = "{KEY} "'])
def test_a_bad_file_is_an_error_of_its_own_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    file = tmp_path / "relays.toml"
    file.write_text(bad)
    told = refusal(monkeypatch, capsys, RELAYS_FILE=str(file))
    assert told.startswith(f"orchestrator: {PREFIX}RELAYS_FILE: ")
    assert KEY not in told
    told = refusal(monkeypatch, capsys, RELAYS_FILE=str(tmp_path / "missing"))
    assert "expected a readable TOML file" in told


def test_settings_show_no_key() -> None:
    settings = Settings(relays={"far": {"url": URL, "key": KEY, "headers": {"api-key": KEY}}})
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "far" in shown
        assert KEY not in shown
