"""HRV files: load, save, merge, import, fetch."""
