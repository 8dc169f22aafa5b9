"""Reading and writing files that others may share, damage or have written: whole, locked, limited."""
