"""Look inside: heat maps, similarities, token maps, weakening."""
