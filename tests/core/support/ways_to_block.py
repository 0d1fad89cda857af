"""Each way in which the standard library can block a thread, and what ends it."""

import concurrent.futures
import queue
import threading


class Waits:
    """Each way to be blocked: what to call, what ends it, and what is to be seen."""

    def __init__(self):
        self.future = concurrent.futures.Future()
        self.other = concurrent.futures.Future()
        self.event = threading.Event()
        self.condition = threading.Condition()
        self.queue = queue.Queue(maxsize=1)
        self.simple = queue.SimpleQueue()
        self.semaphore = threading.Semaphore(0)
        self.barrier = threading.Barrier(2)
        self.joined = threading.Thread(target=self.event.wait, name="joined", daemon=True)

    def end(self):
        self.event.set()
        for future in (self.future, self.other):
            if not future.done():
                future.set_result(None)
        with self.condition:
            self.condition.notify_all()
        self.simple.put(None)
        self.semaphore.release()
        self.barrier.abort()
        if self.queue.qsize():
            self.queue.get_nowait()
            self.queue.task_done()
        else:
            self.queue.put_nowait(None)

    def notified(self):
        with self.condition:
            self.condition.wait()

    def predicate(self):
        with self.condition:
            self.condition.wait_for(self.event.is_set)

    def full(self):
        self.queue.put(None)
        self.queue.put(None)

    def unfinished(self):
        self.queue.put(None)
        self.queue.join()

    def get_simply(self):
        self.simple.get()

    def join(self):
        self.joined.start()
        self.joined.join()

    def all_of(self):
        concurrent.futures.wait([self.future, self.other])

    def first_of(self):
        concurrent.futures.wait([self.future, self.other], return_when="FIRST_COMPLETED")

    def as_completed(self):
        next(concurrent.futures.as_completed([self.future, self.other]))
