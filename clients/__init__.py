"""The other end of the wire: browser page, Python peers. They know only HTTP and WebRTC."""
