"""`make figures-effect`: heads found by effect beside heads found by votes, on both pocket models."""
