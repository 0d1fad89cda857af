"""A program that knows nothing of agraph: a task waits for ever. It ends when standard input does."""

import asyncio
import os
import sys
import threading


async def main():
    task = asyncio.create_task(asyncio.Event().wait(), name="waits for ever")
    await asyncio.sleep(0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await task


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    asyncio.run(main())
