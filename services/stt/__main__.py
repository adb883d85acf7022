"""`python -m services.stt`: the speech-to-text server."""

from chassis.server import run
from chassis.settings import load
from services.stt.settings import Settings
from services.stt.stage import build

if __name__ == "__main__":
    settings = load(Settings, "python -m services.stt")
    run(lambda: build(settings), settings)
