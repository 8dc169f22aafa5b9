"""The paper's experiments as data, run through ComfyUI servers and tabulated: `python -m hrv_engine experiment`."""
