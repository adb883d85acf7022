# mypy: disable-error-code="import-not-found"
"""Fish Speech on its device: the transformer that writes codes and the codec that turns them into sound."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from fish_speech.content_sequence import ContentSequence, TextPart, VQPart
from fish_speech.models.text2semantic.llama import BaseTransformer
from fish_speech.tokenizer import IM_END_TOKEN
from hydra.utils import instantiate
from omegaconf import OmegaConf

from chassis.audio import Float32, resample
from chassis.errors import StageError
from services.tts.engines.fish.chunking import Codes
from services.tts.engines.fish.sampling import Sampling
from services.tts.engines.fish.transformer import RowTransformer
from services.tts.reference_voices import ReferenceVoice

SAMPLE_RATE = 44_100
FILES = ("config.json", "tokenizer.tiktoken", "special_tokens.json", "model.pth", "codec.pth")
Acceleration: TypeAlias = Literal["none", "graphs", "compile"]


@dataclass(frozen=True, slots=True)
class Quote:
    """A text and how it was spoken, codes [codebooks, frames]: the voice to go on in."""

    text: str
    codes: Codes


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to speak, in the voice of `quote` where there is one. `max_frames` must fit behind it."""

    text: str
    quote: Quote | None
    max_frames: int


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """`rows` utterances at once of `positions` tokens each, prompt and speech together."""

    weights: Path
    device: str
    rows: int
    positions: int
    threads: int
    acceleration: Acceleration
    sampling: Sampling


class FishModel:
    """See `runner.Model`. Loading takes as long as reading the weights does."""

    def __init__(self, settings: ModelSettings) -> None:
        missing = [name for name in FILES if not (settings.weights / name).is_file()]
        if missing:
            raise FileNotFoundError(f"VOXFLEET_TTS_FISH_WEIGHTS: {settings.weights} has no {', '.join(missing)}")
        if settings.device == "cpu":
            torch.set_num_threads(settings.threads)
        elif not torch.cuda.is_available():
            raise RuntimeError("VOXFLEET_TTS_FISH_DEVICE: expected cpu, because PyTorch finds no CUDA device; got cuda")
        self._device = torch.device(settings.device)
        # The codec and the transformer were trained in bfloat16; processors are slower with it.
        self._dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        self._positions = settings.positions
        self.rows = settings.rows
        self._codec = _load_codec(settings.weights, self._device)
        self.frame_samples = int(self._codec.frame_length)
        if self._codec.sample_rate != SAMPLE_RATE:
            raise ValueError(f"codec: expected {SAMPLE_RATE} Hz, got {self._codec.sample_rate} Hz")
        model = BaseTransformer.from_pretrained(str(settings.weights), load_weights=True, max_length=settings.positions)
        self._model = model.to(self._device, self._dtype).eval()
        residual_codes = self._codec.quantizer.quantizer.codebook_size
        end = model.tokenizer.get_token_id(IM_END_TOKEN)
        self.semantic_ids: tuple[int, int] = (model.tokenizer.semantic_begin_id, end)
        """Tokens of the first semantic code and of the end."""
        with torch.inference_mode():
            self._transformer = RowTransformer(
                self._model, settings.rows, settings.positions, residual_codes, end, settings.sampling
            )
            self._active = torch.zeros(settings.rows, dtype=torch.bool, device=self._device)
        self._steps = self._accelerated(settings.acceleration)

    def begin(self, row: int, prompt: Prompt) -> Codes | None:
        """See `runner.Model`. Raises StageError where text and quote leave no room for the speech."""
        with torch.inference_mode():
            tokens = self.tokens(prompt)
            room = self._positions - prompt.max_frames
            if tokens.shape[1] > room:
                raise StageError.invalid("text", f"at most {room} tokens with its reference, got {tokens.shape[1]}")
            return self._codes(self._transformer.begin(row, tokens).cpu())

    def step(self, rows: Sequence[int]) -> list[Codes | None]:
        """See `runner.Model`."""
        with torch.inference_mode():
            used = next(size for size in self._steps if size > max(rows))
            self._active.zero_()
            self._active[list(rows)] = True
            frames = self._steps[used]().cpu()
            return [self._codes(frames[row]) for row in rows]

    def decode(self, codes: Codes) -> Float32:
        """See `chunking.Decode`."""
        autocast = torch.autocast(self._device.type, self._dtype, enabled=self._device.type == "cuda")
        with torch.inference_mode(), autocast:
            indices = torch.from_numpy(codes).to(self._device)[None]
            samples, _ = self._codec.decode(indices, torch.tensor([codes.shape[1]], device=self._device))
            heard: Float32 = samples[0, 0].float().cpu().numpy()
        return heard

    def encode(self, voice: ReferenceVoice) -> Quote:
        """The codes of a recording."""
        samples = resample(voice.samples, voice.sample_rate_hz, SAMPLE_RATE)
        with torch.inference_mode():
            audio = torch.from_numpy(samples).to(self._device)[None, None]
            length = torch.tensor([len(samples)], device=self._device)
            indices, _ = self._codec.encode(audio, length)
            codes: Codes = indices[0].long().cpu().numpy()
        return Quote(voice.text, codes)

    def warm(self, frames: Sequence[int]) -> None:
        """Runs every size of step once, and the codec over so many frames each: what compiles, compiles now."""
        with torch.inference_mode():
            for size in self._steps:
                self.begin(size - 1, Prompt("Hello.", None, 1))
                self.step([size - 1])
        books = self._model.config.num_codebooks
        for count in frames:
            self.decode(torch.zeros(books, count, dtype=torch.long).numpy())

    def tokens(self, prompt: Prompt) -> torch.Tensor:
        """The prompt as the model was trained on it, int64 [1 + codebooks, n]: a quote and its codes, then the text."""
        sequence = ContentSequence(modality="interleave")
        if prompt.quote is not None:
            quoted = [TextPart(text=_plain(prompt.quote.text)), VQPart(codes=torch.from_numpy(prompt.quote.codes))]
            sequence.append(quoted, add_end=True, speaker=0)
        sequence.append([TextPart(text=_plain(prompt.text))], add_end=False, speaker=0)
        tokens, _, _ = sequence.encode_for_inference(self._model.tokenizer, self._model.config.num_codebooks)
        return tokens.long().to(self._device)

    def _codes(self, frame: torch.Tensor) -> Codes | None:
        codes: Codes = frame.numpy()
        return None if codes[0] >= self._transformer.semantic_codes else codes

    def _accelerated(self, acceleration: Acceleration) -> dict[int, Callable[[], torch.Tensor]]:
        """A step for the first 1, 2, 4, … rows: each costs by its size, so a few sessions do not pay for all rows."""
        sizes = [1 << power for power in range((self.rows - 1).bit_length())] + [self.rows]
        return {size: self._step_of(size, acceleration) for size in sizes}

    def _step_of(self, size: int, acceleration: Acceleration) -> Callable[[], torch.Tensor]:
        def step() -> torch.Tensor:
            frame = self._transformer.step(size)
            self._transformer.advance(size, frame, self._active[:size])
            return frame

        if acceleration == "none":
            return step
        cuda = self._device.type == "cuda"
        if acceleration == "compile":
            # Without a GPU there may be no compiler either: the step is traced and run as it is.
            step = torch.compile(step, backend="inductor" if cuda else "aot_eager", fullgraph=True)
        return _recorded(step) if cuda else step


def _plain(text: str) -> str:
    """The text without what the tokenizer would take for one of its own marks, as `<|im_end|>`."""
    return text.replace("<|", "< ")


def _recorded(step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """The step as a CUDA graph: one launch instead of thousands. All it reads and changes stays where it is."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        frame = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return frame

    return replay


def _load_codec(weights: Path, device: torch.device) -> Any:
    """The codec that the weights' `codec.yaml` describes, else the one that fish-speech publishes."""
    own = weights / "codec.yaml"
    codec = instantiate(OmegaConf.load(own if own.is_file() else _package() / "configs" / "modded_dac_vq.yaml"))
    state = torch.load(weights / "codec.pth", map_location="cpu", mmap=True, weights_only=True)
    state = state.get("state_dict", state)
    # Checkpoints of the trainer hold the codec beside the discriminators it was trained with.
    if any(name.startswith("generator.") for name in state):
        state = {name.removeprefix("generator."): value for name, value in state.items() if "generator." in name}
    result = codec.load_state_dict(state, strict=False, assign=True)
    parameters = dict(codec.named_parameters())
    missing = [name for name in result.missing_keys if name in parameters]
    if missing:
        raise ValueError(f"codec.pth: expected the weights of the codec; {len(missing)} are missing, as {missing[0]}")
    return codec.to(device).eval()


def _package() -> Path:
    spec = importlib.util.find_spec("fish_speech")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))
