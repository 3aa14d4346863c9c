"""picamera2 imports PiDNG to write raw files, which nothing here does."""
