"""The pocket model's text encoder: CLIP's architecture in small, on those of CLIP's token ids that the captions use.

Parameters carry the names of ``CLIPTextModel``. Training works on compact rows; :meth:`Vocabulary.scatter` puts the
trained embedding rows back at CLIP's ids, so that ComfyUI's stock tokenizer and ``CLIPTextEncode`` serve the model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LENGTH = 77
CLIP_VOCABULARY = 49408
START, END = 49406, 49407


@dataclass(frozen=True)
class TextConfig:
    """Size of the encoder."""

    width: int = 128
    heads: int = 4
    layers: int = 2

    def comfy(self) -> dict[str, object]:
        """ComfyUI's ``clip_l_model_config`` for the same encoder."""
        return {
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": 4 * self.width,
            "projection_dim": self.width,
        }


class Vocabulary:
    """The caption words, their CLIP token ids and the compact rows of those ids."""

    def __init__(self, words: dict[str, list[int]]) -> None:
        self.words = words
        self.clip_ids = [START, END, *sorted({token for tokens in words.values() for token in tokens})]
        self._rows = {token: row for row, token in enumerate(self.clip_ids)}

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Reads a JSON object of word → CLIP token ids."""
        return cls(json.loads(Path(path).read_text(encoding="utf-8")))

    def __len__(self) -> int:
        return len(self.clip_ids)

    def encode(self, text: str) -> tuple[list[int], int]:
        """Compact rows [77] of a caption, padded with END as SD1.x does, and the position of the first END."""
        rows = [self._rows[START]]
        for word in text.lower().split():
            if word not in self.words:
                raise ValueError(f"{word!r} is no caption word; words are: {', '.join(self.words)}")
            rows += [self._rows[token] for token in self.words[word]]
        rows = rows[: LENGTH - 1]
        end = len(rows)
        return rows + [self._rows[END]] * (LENGTH - end), end

    def scatter(self, rows: Tensor) -> Tensor:
        """The full embedding table [49408, width]: trained rows [V, width] at their ids, their mean everywhere else."""
        table = rows[2:].mean(0, keepdim=True).repeat(CLIP_VOCABULARY, 1)
        table[torch.tensor(self.clip_ids)] = rows
        return table


class SelfAttention(nn.Module):
    """Causal multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            project(x).view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(out.transpose(1, 2).reshape(batch, length, width))


class MLP(nn.Module):
    """Two linear layers around CLIP's quick GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x)
        return self.fc2(hidden * torch.sigmoid(1.702 * hidden))


class Layer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.self_attn = SelfAttention(config.width, config.heads)
        self.mlp = MLP(config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Embeddings(nn.Module):
    """Token plus position embedding."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.token_embedding, self.position_embedding = nn.Embedding(rows, width), nn.Embedding(LENGTH, width)
        nn.init.normal_(self.token_embedding.weight, std=0.3)
        nn.init.normal_(self.position_embedding.weight, std=0.1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.token_embedding(rows) + self.position_embedding.weight[: rows.shape[1]]


class Encoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))


class TextModel(nn.Module):
    """Embeddings, layers and the final norm."""

    def __init__(self, rows: int, config: TextConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(rows, config.width)
        self.encoder = Encoder(config)
        self.final_layer_norm = nn.LayerNorm(config.width)


class TextEncoder(nn.Module):
    """Embedding rows [B, 77] to conditioning [B, 77, width]."""

    def __init__(self, rows: int, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.text_model = TextModel(rows, config)

    def forward(self, rows: Tensor) -> Tensor:
        hidden = self.text_model.embeddings(rows)
        for layer in self.text_model.encoder.layers:
            hidden = layer(hidden)
        return self.text_model.final_layer_norm(hidden)
