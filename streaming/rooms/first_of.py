"""Several things may end a stay; whatever is first does, and the others are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*coroutines: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> None:
    """Run all until one ends or the time is up, cancel and await the rest.

    Raises:
        Exception: what ended the first one, if it did not just return.
    """
    jobs = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        ended, _ = await asyncio.wait(jobs, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    for job in ended:
        job.result()
