"""Between which concepts a word is, by a text encoder or a language model."""
