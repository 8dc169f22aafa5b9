"""Ordered weakening of heads and its curves (section 4)."""
