"""Scores of images, curves and comparisons."""
