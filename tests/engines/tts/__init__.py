"""Tests of Fish Speech. Nothing of it uses torchaudio, but packages that it imports do: an empty one stands in, because
the package index only has builds of it for CUDA."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

_torchaudio = ModuleType("torchaudio")
_torchaudio.__spec__ = ModuleSpec("torchaudio", None)
sys.modules.setdefault("torchaudio", _torchaudio)
