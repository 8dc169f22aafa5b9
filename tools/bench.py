"""What everything costs (tests/benchmarks): python -m tools.bench [operations | memory | gpu | compiled | guidance]"""

from __future__ import annotations

import os
import sys

from .pack import use_comfyui


def main() -> int:
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's remark that there is no GPU
    import torch

    use_comfyui("--use-pytorch-cross-attention", *([] if torch.cuda.is_available() else ["--cpu"]))
    if sys.argv[1:2] == ["operations"]:
        from comfyui_hrv.tests.benchmarks.operations import main as run

        return run(sys.argv[2:])
    if sys.argv[1:2] == ["compiled"]:
        from comfyui_hrv.tests.benchmarks.compiled import main as run

        return run(sys.argv[2:])
    if sys.argv[1:2] == ["gpu"]:
        from comfyui_hrv.tests.benchmarks.gpu import main as run

        return run(sys.argv[2:])
    if sys.argv[1:2] == ["memory"]:
        from comfyui_hrv.tests.benchmarks.memory import main as run

        return run(sys.argv[2:])
    if sys.argv[1:2] == ["guidance"]:
        from comfyui_hrv.tests.benchmarks.run_guided import main as run

        return run(sys.argv[2:])
    from comfyui_hrv.tests.benchmarks.run import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
