"""A running ComfyUI server: client, workflow graphs as templates, a runner with retries."""
