"""The networks: mathematics only. No files of media, no sockets, no asyncio."""
