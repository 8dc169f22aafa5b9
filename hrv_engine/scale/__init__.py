"""HRV construction at scale: one build in parts, over ComfyUI servers or a Ray cluster, added up to one file."""
