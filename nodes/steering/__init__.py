"""Say what a word means: adjust, strengthen, suggest."""
