"""The settings of access: what they take, what they refuse, and that they show no secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from chassis.settings import load
from services.orchestrator.edge.auth.keys import KeyRing
from services.orchestrator.settings import Settings

KEY = "sk-0123456789abcdef"
OTHER = "sk-fedcba9876543210"
PREFIX = "VOXFLEET_ORCHESTRATOR_"


def plain(settings: Settings) -> list[str]:
    return [key.get_secret_value() for key in settings.keys]


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **env: str) -> str:
    """What the server says as it does not start."""
    for name, value in env.items():
        monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SystemExit) as ended:
        load(Settings, "orchestrator", [])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_nobody_needs_a_key(host: str) -> None:
    assert not Settings(host=host).needs_key


def test_keys_that_are_set_are_asked_for_on_loopback_too() -> None:
    assert Settings(api_keys=KEY).needs_key
    assert not Settings(api_keys=KEY, auth="off").needs_key


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "voice.example.com"])
def test_an_address_that_others_reach_needs_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    told = refusal(monkeypatch, capsys, HOST=host)
    assert host in told
    for name in ("AUTH:", "API_KEYS ", "API_KEYS_FILE", "AUTH=off"):
        assert PREFIX + name in told
    assert Settings(host=host, api_keys=KEY).needs_key
    assert not Settings(host=host, auth="off").needs_key


def test_on_needs_keys_on_loopback_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected API keys" in refusal(monkeypatch, capsys, AUTH="on")
    assert Settings(auth="on", api_keys=KEY).needs_key


def test_keys_come_from_the_environment_and_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# the phones\n{OTHER}\n\n")
    monkeypatch.setenv(PREFIX + "API_KEYS", f"{KEY}, {KEY}x,")
    monkeypatch.setenv(PREFIX + "API_KEYS_FILE", str(file))
    assert plain(Settings()) == [KEY, f"{KEY}x", OTHER]


def test_a_file_without_keys_or_none_at_all_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.write_text("# nothing yet\n")
    for file in (empty, tmp_path / "missing", tmp_path):
        told = refusal(monkeypatch, capsys, API_KEYS_FILE=str(file))
        assert f"{PREFIX}API_KEYS_FILE" in told
        assert str(file) in told


@pytest.mark.parametrize("bad", ["short", "ek_0123456789abcdef", "with spaces in between", "schlüssel-0123456789"])
def test_a_bad_key_is_named_but_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    told = refusal(monkeypatch, capsys, API_KEYS=f"{KEY},{bad}")
    assert f"{PREFIX}API_KEYS:" in told
    assert "16 to 512" in told
    assert bad not in told
    assert KEY not in told
    monkeypatch.delenv(PREFIX + "API_KEYS")
    file = tmp_path / "keys"
    file.write_text(bad)
    told = refusal(monkeypatch, capsys, API_KEYS_FILE=str(file))
    assert f"{PREFIX}API_KEYS_FILE:" in told
    assert bad not in told


def test_a_short_signing_key_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(monkeypatch, capsys, SECRET_KEY="too-short")
    assert f"{PREFIX}SECRET_KEY" in told
    assert "too-short" not in told


def test_settings_show_no_secret() -> None:
    settings = Settings(api_keys=KEY, secret_key="s" * 32)
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert KEY not in shown
        assert "s" * 32 not in shown


def test_origins_are_written_as_browsers_write_them() -> None:
    assert Settings(allowed_origins="https://App.example.com:443/, null,http://a:8080").allowed_origins == (
        "https://app.example.com",
        "null",
        "http://a:8080",
    )


@pytest.mark.parametrize("bad", ["app.example.com", "https://*.example.com", "https://a/b", "https://a b"])
def test_what_is_no_origin_is_refused(bad: str) -> None:
    with pytest.raises(ValidationError, match="expected origins such as"):
        Settings(allowed_origins=bad)


def test_a_key_ring_knows_its_keys_and_keeps_none() -> None:
    ring = KeyRing([KEY, OTHER])
    assert ring.holds(KEY)
    assert ring.holds(OTHER)
    assert not ring.holds(KEY[:-1])
    assert not ring.holds("")
    assert not KeyRing([]).holds(KEY)
    assert KEY.encode() not in ring.material
    assert ring.material == KeyRing([OTHER, KEY, KEY]).material != KeyRing([KEY]).material
