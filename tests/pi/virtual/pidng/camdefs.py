class Picamera2Camera:
    """Never made."""
