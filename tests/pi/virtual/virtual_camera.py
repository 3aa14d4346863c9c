"""picamera2 on libcamera's virtual camera, and what differs from a Pi's there.

The virtual camera has no raw stream, and it writes its two planes into two planes of a buffer,
where picamera2's own allocator makes one. Everything else is the real picamera2 and libcamera.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

import libcamera
import picamera2
from picamera2.allocators import DmaAllocator


class TwoPlaneAllocator(DmaAllocator):
    """Buffers of luma and of interleaved chroma, in one piece of memory."""

    def allocate(self, libcamera_config: Any, use_case: Any) -> None:  # noqa: ARG002
        self.libcamera_fds = []
        self.cleanup()
        for descriptor in self.open_fds:
            os.close(descriptor)
        self.frame_buffers, self.open_fds = {}, []
        for stream in libcamera_config:
            self.frame_buffers[stream.stream] = [
                self._buffer(stream, index) for index in range(stream.buffer_count)
            ]

    def _buffer(self, stream: Any, index: int) -> Any:
        descriptor = self.dmaHeap.alloc(f"picamera2-{index}", stream.frame_size)
        self.open_fds.append(descriptor.get())
        luma = stream.stride * stream.size.height
        planes = []
        for offset, length in ((0, luma), (luma, luma // 2)):
            plane = libcamera.FrameBuffer.Plane()
            plane.fd, plane.offset, plane.length = descriptor.get(), offset, length
            planes.append(plane)
        self.libcamera_fds.append(planes[0].fd)
        self.mapped_buffers_used[planes[0].fd] = False
        buffer = libcamera.FrameBuffer(planes)
        self.mapped_buffers[buffer] = mmap.mmap(
            planes[0].fd, stream.frame_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
        )
        return buffer


class VirtualPicamera2(picamera2.Picamera2):
    """Picamera2 that takes the sizes of the video stream for those of the raw one."""

    def __init__(self) -> None:
        super().__init__(allocator=TwoPlaneAllocator())

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        roles = [libcamera.StreamRole.VideoRecording]
        formats = self.camera.generate_configuration(roles).at(0).formats
        return [
            {"format": str(pixels), "size": (size.width, size.height)}
            for pixels in formats.pixel_formats
            for size in formats.sizes(pixels)
        ]


picamera2.Picamera2 = VirtualPicamera2
