"""picamera2 imports pykms for its preview window, which nothing here opens."""


class _Anything(type):
    def __getattr__(cls, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class PixelFormat(metaclass=_Anything):
    """Whatever format is asked for."""
