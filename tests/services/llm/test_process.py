"""The server as a process of its own."""

import asyncio
import os
import signal
import sys

import pytest


def environment(**settings: str) -> dict[str, str]:
    told = {f"VOXFLEET_LLM_{name.upper()}": value for name, value in settings.items()}
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **told}


async def start(*arguments: str, **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.llm", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(**settings),
    )


async def test_it_drains_on_a_signal_although_the_model_s_library_has_handlers_of_its_own() -> None:
    process = await start(port="0", model="smollm2-135m", slots="1", threads="1")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        async for line in process.stdout:
            if b"ready" in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = await process.stdout.read()
        assert await process.wait() == 0
    assert b"drained" in rest


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"slots": "0"}, b"VOXFLEET_LLM_SLOTS"), ({"top_p": "0"}, b"VOXFLEET_LLM_TOP_P")],
)
async def test_a_bad_setting_ends_it_with_the_variable_s_name(settings: dict[str, str], expected: bytes) -> None:
    process = await start(**settings)
    output, _ = await process.communicate()
    assert process.returncode == 2
    assert expected in output
