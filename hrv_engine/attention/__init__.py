"""Heads and attention sites of any model, and the one idea: what acts on a map acts on values."""
