"""Every reason for which a test may be skipped. A test that skips names one of these."""

NO_COMFYUI = "COMFYUI_PATH is not set: `make test` sets it"
NO_CHROMIUM = "no Chromium on this machine: `apt-get install chromium`"
NO_PUBLISHED_ARRAYS = "the authors' published arrays are not in ../shared/published"
NO_POCKET_WEIGHTS = "hrv_presets/pocket holds no trained weights: `make train-pocket`"
NO_ROOM_FOR_SDXL = "full-size SDXL needs 20 GB of memory and ten minutes: `make test-sdxl`"
NO_COMPILER = "no C++ compiler on this machine: `apt-get install g++`"
NO_GPU = "no GPU on this machine"
