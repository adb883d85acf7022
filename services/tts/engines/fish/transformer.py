# mypy: disable-error-code="import-not-found"
"""Fish Speech's dual autoregressive transformer for several utterances at once, each at its own position.

The modules and weights are those of `fish_speech`; its own forward pass keeps one position for a whole batch, so it can
only serve one utterance at a time. This one has a row of the cache for each, and steps all of them together.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from services.tts.engines.fish.sampling import UNUSED, WINDOW, Sampling, choose

Caches = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer, [rows, heads, positions, head size]."""


def _rotated(x: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding, Su et al. 2021; x [rows, steps, heads, size], rope [rows, steps, size / 2, 2]."""
    pairs = x.float().unflatten(-1, (-1, 2))
    cos, sin = rope[:, :, None, :, 0], rope[:, :, None, :, 1]
    real = pairs[..., 0] * cos - pairs[..., 1] * sin
    imaginary = pairs[..., 1] * cos + pairs[..., 0] * sin
    return torch.stack((real, imaginary), -1).flatten(3).type_as(x)


def _attended(
    attention: Any, x: torch.Tensor, rope: torch.Tensor, cache: tuple[torch.Tensor, torch.Tensor], at: torch.Tensor
) -> torch.Tensor:
    """Attention of `x`, [rows, steps, dim], at positions `at`, [rows, steps], over the cache, which it writes to."""
    rows, steps, _ = x.shape
    size, heads, groups = attention.head_dim, attention.n_local_heads, attention.n_head // attention.n_local_heads
    query, key, value = attention.wqkv(x).split([groups * heads * size, heads * size, heads * size], dim=-1)
    query = query.view(rows, steps, heads * groups, size)
    key, value = key.view(rows, steps, heads, size), value.view(rows, steps, heads, size)
    if attention.attention_qk_norm:
        query, key = attention.q_norm(query), attention.k_norm(key)
    query, key = _rotated(query, rope), _rotated(key, rope)
    keys, values = cache
    row = torch.arange(rows, device=x.device)[:, None]
    keys[row, :, at] = key
    values[row, :, at] = value
    # Queries that share keys are laid side by side instead of repeating the keys.
    query = query.view(rows, steps, heads, groups, size).permute(0, 2, 3, 1, 4).reshape(rows, heads, -1, size)
    visible = torch.arange(keys.shape[2], device=x.device) <= at[:, :, None]
    mask = visible[:, None].repeat(1, 1, groups, 1)
    heard = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
    heard = heard.view(rows, heads, groups, steps, size).permute(0, 3, 1, 2, 4).reshape(rows, steps, -1)
    result: torch.Tensor = attention.wo(heard)
    return result


def _through(layers: Any, x: torch.Tensor, rope: torch.Tensor, caches: Caches, at: torch.Tensor) -> torch.Tensor:
    for layer, cache in zip(layers, caches, strict=True):
        x = x + _attended(layer.attention, layer.attention_norm(x), rope, cache, at)
        x = x + layer.feed_forward(layer.ffn_norm(x))
    return x


class RowTransformer:
    """The transformer with `rows` rows of `positions` positions. `model` is a `DualARTransformer` on its device.

    Only the codes that speech can have are ever chosen: the semantic ones and the end (`end_id`) for the first
    codebook, the first `residual_codes` for the others. `tokens`, `at` and `history` are each row's last frame, its
    position and the codes of its last frames; they are changed in place, so that a CUDA graph can replay a step.
    """

    def __init__(
        self, model: Any, rows: int, positions: int, residual_codes: int, end_id: int, sampling: Sampling
    ) -> None:
        self._model = model
        self._config = config = model.config
        self._sampling = sampling
        self._residual_codes = residual_codes
        self._first_id = model.tokenizer.semantic_begin_id
        self.semantic_codes = model.tokenizer.semantic_end_id - self._first_id + 1
        weight = (model.embeddings if config.tie_word_embeddings else model.output).weight
        device, dtype = weight.device, weight.dtype
        head = [*range(self._first_id, self._first_id + self.semantic_codes), end_id]
        self._head = weight.detach()[torch.tensor(head, device=device)].clone()
        books = config.num_codebooks
        self._offsets = (torch.arange(books, device=device) * config.codebook_size)[:, None]

        def caches(layers: int, heads: int, length: int, size: int) -> Caches:
            shape = (rows, heads, length, size)
            return [
                (torch.zeros(shape, dtype=dtype, device=device), torch.zeros(shape, dtype=dtype, device=device))
                for _ in range(layers)
            ]

        self._slow = caches(config.n_layer, config.n_local_heads, positions, config.head_dim)
        self._fast = caches(config.n_fast_layer, config.fast_n_local_heads, books, config.fast_head_dim)
        self.tokens = torch.zeros(rows, books + 1, 1, dtype=torch.long, device=device)
        self.at = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self.history = torch.full((rows, books, WINDOW), UNUSED, dtype=torch.long, device=device)

    def begin(self, row: int, prompt: torch.Tensor) -> torch.Tensor:
        """Reads a prompt, int64 [1 + codebooks, n], into a row; the first frame, int64 [codebooks].

        The first codebook of a frame is `semantic_codes` where the utterance ends.
        """
        length = prompt.shape[1]
        at = torch.arange(length, device=prompt.device)[None]
        self.history[row] = UNUSED
        frame = self._frame(prompt[None], at, slice(row, row + 1))
        self._note(slice(row, row + 1), frame)
        self.at[row] = length
        return frame[0]

    def step(self, rows: int) -> torch.Tensor:
        """The next frame of the first `rows` rows, int64 [rows, codebooks]; none of them moves on: see `advance`."""
        used = slice(0, rows)
        return self._frame(self.tokens[used], self.at[used], used)

    def advance(self, rows: int, frame: torch.Tensor, active: torch.Tensor) -> None:
        """Takes the frame of each of the first `rows` rows whose `active`, bool [rows], is set."""
        used = slice(0, rows)
        ids, codes = self._ids(frame)
        keep = active[:, None, None]
        self.tokens[used] = torch.where(keep, ids, self.tokens[used])
        self.history[used] = torch.where(
            keep, torch.cat((self.history[used, :, 1:], codes), dim=-1), self.history[used]
        )
        self.at[used] += active[:, None].long()

    def _note(self, used: slice, frame: torch.Tensor) -> None:
        ids, codes = self._ids(frame)
        self.tokens[used] = ids
        self.history[used] = torch.cat((self.history[used, :, 1:], codes), dim=-1)

    def _ids(self, frame: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The frame as the transformer reads it, [rows, 1 + codebooks, 1], and as the history keeps it."""
        codes = frame[:, :, None]
        # The end is never read: a row that has ended is stepped along with the others, but only has to be valid.
        readable = codes.clamp(max=self.semantic_codes - 1)
        return torch.cat((readable[:, :1] + self._first_id, readable), 1), codes

    def _frame(self, tokens: torch.Tensor, at: torch.Tensor, used: slice) -> torch.Tensor:
        model = self._model
        caches = [(keys[used], values[used]) for keys, values in self._slow]
        hidden = _through(model.layers, self._embedded(tokens), model.freqs_cis[at], caches, at)[:, -1:]
        logits = functional.linear(model.norm(hidden), self._head)[:, 0]
        history = self.history[used]
        codes = [choose(logits, history[:, 0], self._sampling)]
        x = model.fast_project_in(hidden)
        caches = [(keys[used], values[used]) for keys, values in self._fast]
        for book in range(self._config.num_codebooks):
            place = torch.full_like(at[:, :1], book)
            out = _through(model.fast_layers, x, model.fast_freqs_cis[place], caches, place)
            if book:
                logits = model.fast_output(model.fast_norm(out))[:, 0, : self._residual_codes]
                codes.append(choose(logits, history[:, book], self._sampling))
            # The end is no code, and what follows it in its frame is not used.
            x = model.fast_embeddings(codes[-1].clamp(max=self.semantic_codes - 1))[:, None]
        return torch.stack(codes, dim=1)

    def _embedded(self, tokens: torch.Tensor) -> torch.Tensor:
        """Sum of the embeddings of a frame's token and of its codes, [rows, steps, dim]."""
        config, token = self._config, tokens[:, 0]
        summed = self._model.codebook_embeddings(tokens[:, 1:] + self._offsets).sum(dim=1)
        is_code = ((token >= self._first_id) & (token < self._first_id + self.semantic_codes))[..., None]
        x = self._model.embeddings(token)
        x = x + torch.where(is_code, summed, torch.zeros_like(summed))
        if config.scale_codebook_embeddings:
            x = torch.where(is_code, x / (config.num_codebooks + 1) ** 0.5, x)
        return x
