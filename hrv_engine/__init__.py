"""The science of Head Relevance Vectors: heads, concepts, votes, rescaling, attention. Knows nothing of ComfyUI."""
