class PICAM2DNG:
    """Never made."""
