"""Prompts: which columns hold which word, phrases, dependency groups, numbers typed for words."""
