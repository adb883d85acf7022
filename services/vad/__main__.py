"""`python -m services.vad`: the voice activity server."""

from chassis.server import run
from chassis.settings import load
from services.vad.settings import Settings
from services.vad.stage import build

if __name__ == "__main__":
    settings = load(Settings, "python -m services.vad")
    run(lambda: build(settings), settings)
