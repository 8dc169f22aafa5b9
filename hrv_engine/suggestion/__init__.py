"""Which concepts a word lies between, by a text encoder or a language model."""
