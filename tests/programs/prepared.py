"""A deadlock in a process that was prepared, by its environment: `python prepared.py`. Its main thread is blocked."""

import asyncio

import hung

import agraph

agraph.install()
asyncio.run(hung.deadlock(hung.sleeps))
