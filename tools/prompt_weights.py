"""Prompt weights and their limit on the pocket model: python -m tools.prompt_weights (output/prompt_weights.json)"""

from __future__ import annotations

from .pack import use_comfyui


def main() -> None:
    use_comfyui("--cpu", "--use-pytorch-cross-attention")
    from comfyui_hrv.tools.figures.prompt_weights import main as run

    run()


if __name__ == "__main__":
    main()
