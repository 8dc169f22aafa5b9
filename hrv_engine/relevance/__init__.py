"""Head Relevance Vectors: concepts, votes (Algorithm 1), files, rescale vectors (sections 3 and 5.1)."""
