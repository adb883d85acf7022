# mypy: disable-error-code="import-not-found"
"""Fish Speech with its real architecture, small, with random weights: what it says is noise."""

import base64
from pathlib import Path
from typing import Any

import torch
from fish_speech.models.text2semantic.llama import DualARModelArgs, DualARTransformer
from fish_speech.tokenizer import ALL_SPECIAL_TOKENS, FishTokenizer
from hydra.utils import instantiate
from omegaconf import OmegaConf

BOOKS = 10
LOUDNESS = 0.3
_MODULES = "fish_speech.models.dac"


def _transformer_module(layers: int, window: int) -> dict[str, Any]:
    return {
        "_target_": f"{_MODULES}.modded_dac.WindowLimitedTransformer",
        "causal": True,
        "window_size": window,
        "input_dim": 128,
        "config": {
            "_target_": f"{_MODULES}.modded_dac.ModelArgs",
            "block_size": 2048,
            "n_layer": layers,
            "n_head": 2,
            "dim": 128,
            "intermediate_size": 256,
            "head_dim": 64,
        },
    }


# Everything of the published modded_dac_vq.yaml, with fewer channels and layers and a shorter window of attention.
CODEC = {
    "_target_": f"{_MODULES}.modded_dac.DAC",
    "sample_rate": 44_100,
    "encoder_dim": 8,
    "encoder_rates": [2, 4, 8, 8],
    "decoder_dim": 64,
    "decoder_rates": [8, 8, 4, 2],
    "encoder_transformer_layers": [0, 0, 0, 1],
    "decoder_transformer_layers": [0, 0, 0, 0],
    "transformer_general_config": {
        "_target_": f"{_MODULES}.modded_dac.ModelArgs",
        "_partial_": True,
        "block_size": 16_384,
        "head_dim": 64,
    },
    "quantizer": {
        "_target_": f"{_MODULES}.rvq.DownsampleResidualVectorQuantize",
        "input_dim": 128,
        "n_codebooks": BOOKS - 1,
        "codebook_size": 1024,
        "codebook_dim": 8,
        "quantizer_dropout": 0.5,
        "downsample_factor": [2, 2],
        "semantic_codebook_size": 1024,
        "post_module": _transformer_module(2, 8),
        "pre_module": _transformer_module(1, 8),
    },
}


def write_weights(directory: Path) -> None:
    """Writes all files that the engine loads."""
    torch.manual_seed(0)
    directory.mkdir(parents=True)
    ranks = "".join(f"{base64.b64encode(bytes([byte])).decode()} {byte}\n" for byte in range(256))
    (directory / "tokenizer.tiktoken").write_text(ranks)
    tokenizer = FishTokenizer(str(directory / "tokenizer.tiktoken"))
    config = DualARModelArgs(
        vocab_size=256 + len(ALL_SPECIAL_TOKENS),
        n_layer=2,
        n_head=4,
        n_local_heads=2,
        dim=32,
        head_dim=8,
        intermediate_size=64,
        max_seq_len=2048,
        codebook_size=1024,
        num_codebooks=BOOKS,
        n_fast_layer=2,
        fast_dim=16,
        fast_n_head=2,
        fast_n_local_heads=1,
        fast_head_dim=8,
        fast_intermediate_size=32,
        attention_qk_norm=True,
        scale_codebook_embeddings=True,
        initializer_range=0.3,
    )
    DualARTransformer(config, tokenizer).save_pretrained(str(directory))
    OmegaConf.save(OmegaConf.create(CODEC), directory / "codec.yaml")
    torch.save(_codec().state_dict(), directory / "codec.pth")


def _codec() -> Any:
    """A codec whose every layer is heard: as they are initialised, most hardly change what passes through them."""
    codec = instantiate(OmegaConf.create(CODEC)).eval()
    with torch.no_grad():
        for name, parameter in codec.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.3)
        # The last layer before the limiter sets how loud it all is.
        gain = codec.decoder.model[-2].conv.parametrizations.weight.original0
        codes = torch.randint(0, 1024, (1, BOOKS, 20))
        for _ in range(8):
            peak = codec.decode(codes, torch.tensor([20]))[0].abs().max()
            gain *= LOUDNESS / peak
    return codec
