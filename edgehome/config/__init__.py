"""config.yaml: read, checked, and kept as frozen values."""
