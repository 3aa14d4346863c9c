"""edgehome: a camera node that understands what is happening and tells Home Assistant."""

__version__ = "0.1.0"
