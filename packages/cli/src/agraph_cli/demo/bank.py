"""A small bank that hangs. `agraph demo` runs, captures and lints this program.

Two transfers take the locks of two accounts in opposite order, and each keeps what the other needs. A receipt
waits for a transfer through a future of its own, which hides from every await graph whom it waits for. Beside
them a clock, two counters and a terminal go on as if nothing had happened.
"""

import asyncio
import itertools
import socket


class Account:
    """An account; whoever changes its balance holds its lock."""

    def __init__(self, owner: str, balance: int) -> None:
        """Open the account."""
        self.owner = owner
        self.balance = balance
        self.lock = asyncio.Lock()


async def transfer(source: Account, target: Account, amount: int) -> int:
    """Move money from one account to another."""
    async with source.lock:
        await asyncio.sleep(0)  # asks the fraud check, and so lets the other transfer begin
        async with target.lock:
            source.balance -= amount
            target.balance += amount
            return amount


async def receipt(payment: "asyncio.Task[int]") -> str:
    """Wait for a payment and print a receipt for it."""
    printed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    payment.add_done_callback(lambda done: printed.set_result(f"paid {done.result()}"))
    return await printed


async def count_cash(vault: asyncio.Lock) -> None:
    """Count the cash, again and again: a lock that is taken and given back."""
    while True:
        async with vault:
            await asyncio.sleep(0.02)


async def clock() -> None:
    """Tick."""
    for _ in itertools.count():
        await asyncio.sleep(0.05)


async def terminal(line: socket.socket) -> bytes:
    """Wait for a customer who never comes: I/O that stays silent."""
    return await asyncio.get_running_loop().sock_recv(line, 1)


async def main() -> None:
    """Open the bank."""
    alice, bob, vault = Account("alice", 100), Account("bob", 100), asyncio.Lock()
    here, there = socket.socketpair()
    here.setblocking(False)
    with here, there:
        payment = asyncio.create_task(transfer(alice, bob, 30), name="alice-to-bob")
        await asyncio.gather(
            payment,
            asyncio.create_task(transfer(bob, alice, 20), name="bob-to-alice"),
            asyncio.create_task(receipt(payment), name="receipt"),
            asyncio.create_task(clock(), name="clock"),
            asyncio.create_task(count_cash(vault), name="counter-1"),
            asyncio.create_task(count_cash(vault), name="counter-2"),
            asyncio.create_task(terminal(here), name="terminal"),
        )


if __name__ == "__main__":
    asyncio.run(main())
