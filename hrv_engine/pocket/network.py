"""The pocket model's denoiser: a small latent-diffusion UNet whose parameters carry Stable Diffusion's names.

Written in plain torch so that training needs no ComfyUI; `nodes/host/pocket.py` loads the same state dict strictly into
ComfyUI's own ``UNetModel``. Symbols: B images, C channels, H×W positions, T text tokens, D context width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class UNetConfig:
    """Size of the denoiser, in the vocabulary of ComfyUI's ``unet_config``."""

    in_channels: int = 48
    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2)
    num_res_blocks: tuple[int, ...] = (1, 1)
    transformer_depth: tuple[int, ...] = (1, 3)
    transformer_depth_middle: int = 2
    context_dim: int = 128
    num_heads: int = 8

    def comfy(self) -> dict[str, object]:
        """The keyword arguments that make ComfyUI's ``UNetModel`` build the same network."""
        levels = list(zip(self.transformer_depth, self.num_res_blocks, strict=True))
        return {
            "image_size": 8,
            "in_channels": self.in_channels,
            "out_channels": self.in_channels,
            "model_channels": self.model_channels,
            "num_res_blocks": list(self.num_res_blocks),
            "channel_mult": list(self.channel_mult),
            "num_heads": self.num_heads,
            "num_head_channels": -1,
            "use_spatial_transformer": True,
            "transformer_depth": [depth for depth, blocks in levels for _ in range(blocks)],
            "transformer_depth_middle": self.transformer_depth_middle,
            "transformer_depth_output": [depth for depth, blocks in levels for _ in range(blocks + 1)],
            "context_dim": self.context_dim,
            "legacy": False,
            "use_linear_in_transformer": False,
            "adm_in_channels": None,
        }


def timestep_embedding(timesteps: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding [B, width] of integer timesteps [B], cosines first (Stable Diffusion's order)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=timesteps.device).float() / half)
    angles = timesteps.float()[:, None] * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class ResBlock(nn.Module):
    """Two normalised 3×3 convolutions with the timestep added between them."""

    def __init__(self, channels: int, embedding: int, out_channels: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, out_channels),
            nn.SiLU(),
            nn.Identity(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)
        nn.init.zeros_(self.out_layers[3].weight)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.in_layers(x) + self.emb_layers(embedding)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    """Multi-head attention of x [B, N, C] to a context [B / repeats, T, D]; one row of it serves `repeats`."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.dim_head = width // heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Identity())

    def forward(self, x: Tensor, context: Tensor, repeats: int = 1) -> Tensor:
        q, k, v = (
            y.view(y.shape[0], -1, self.heads, self.dim_head).transpose(1, 2)
            for y in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        if repeats > 1:
            # The images of one caption queue up along the query axis, so keys and values are never copied.
            rows, positions = k.shape[0], x.shape[1]
            q = q.reshape(rows, repeats, self.heads, positions, self.dim_head).transpose(1, 2).flatten(2, 3)
            out = F.scaled_dot_product_attention(q, k, v)
            out = out.reshape(rows, self.heads, repeats, positions, self.dim_head).permute(0, 2, 3, 1, 4)
            return self.to_out(out.reshape(x.shape))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(out.transpose(1, 2).reshape(x.shape))


class GEGLU(nn.Module):
    """Gated linear unit with an exact GELU gate."""

    def __init__(self, width: int, out_width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, out_width * 2)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """GEGLU, then back to the block's width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GEGLU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TransformerBlock(nn.Module):
    """Self-attention (attn1), cross-attention to the text (attn2) and a feed-forward, each on a residual."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.attn1 = Attention(width, width, heads)
        self.ff = FeedForward(width)
        self.attn2 = Attention(width, context_width, heads)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, context: Tensor, repeats: int) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attn1(normed, normed)
        x = x + self.attn2(self.norm2(x), context, repeats)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    """Transformer blocks over the H×W positions of a feature map."""

    def __init__(self, channels: int, context_width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(TransformerBlock(channels, context_width, heads) for _ in range(depth))
        self.proj_out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor, context: Tensor, repeats: int) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = self.proj_in(self.norm(x)).movedim(1, 3).flatten(1, 2)
        for block in self.transformer_blocks:
            tokens = block(tokens, context, repeats)
        return x + self.proj_out(tokens.reshape(batch, height, width, channels).movedim(3, 1))


class Downsample(nn.Module):
    """Strided convolution that halves H and W."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    """Nearest-neighbour doubling of H and W, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Stage(nn.Sequential):
    """One entry of input_blocks / output_blocks: hands timestep and text to the members that want them."""

    def forward(self, x: Tensor, embedding: Tensor, context: Tensor, repeats: int) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, embedding)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context, repeats)
            else:
                x = layer(x)
        return x


class UNet(nn.Module):
    """Predicts the clean latent x0 [B, 48, 8, 8] from a noisy one, timesteps [B] and text [B / repeats, T, D]."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        base = config.model_channels
        embedding = 4 * base

        def block(channels: int, out_channels: int, depth: int) -> list[nn.Module]:
            layers: list[nn.Module] = [ResBlock(channels, embedding, out_channels)]
            if depth:
                layers.append(SpatialTransformer(out_channels, config.context_dim, config.num_heads, depth))
            return layers

        self.time_embed = nn.Sequential(nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.input_blocks = nn.ModuleList([Stage(nn.Conv2d(config.in_channels, base, 3, padding=1))])
        channels, skips = base, [base]
        levels = list(zip(config.channel_mult, config.num_res_blocks, config.transformer_depth, strict=True))
        for level, (mult, count, depth) in enumerate(levels):
            for _ in range(count):
                self.input_blocks.append(Stage(*block(channels, mult * base, depth)))
                channels = mult * base
                skips.append(channels)
            if level < len(levels) - 1:
                self.input_blocks.append(Stage(Downsample(channels)))
                skips.append(channels)
        self.middle_block = Stage(
            *block(channels, channels, config.transformer_depth_middle), ResBlock(channels, embedding, channels)
        )
        self.output_blocks = nn.ModuleList()
        for level, (mult, count, depth) in reversed(list(enumerate(levels))):
            for index in range(count + 1):
                layers = block(channels + skips.pop(), mult * base, depth)
                channels = mult * base
                if level and index == count:
                    layers.append(Upsample(channels))
                self.output_blocks.append(Stage(*layers))
        self.out = nn.Sequential(
            nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv2d(channels, config.in_channels, 3, padding=1)
        )
        nn.init.zeros_(self.out[2].weight)
        nn.init.zeros_(self.out[2].bias)

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, repeats: int = 1) -> Tensor:
        embedding = self.time_embed(timestep_embedding(timesteps, self.config.model_channels).to(x.dtype))
        skips = []
        for stage in self.input_blocks:
            x = stage(x, embedding, context, repeats)
            skips.append(x)
        x = self.middle_block(x, embedding, context, repeats)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], dim=1), embedding, context, repeats)
        return self.out(x)
