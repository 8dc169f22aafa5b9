"""Scores of images: CLIP, captions, backgrounds, confidence intervals."""
