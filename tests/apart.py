"""Calls in a process of their own, which may end it or never return."""

import multiprocessing


class Ended(Exception):
    """A call ended its process or did not return in time; the message says which."""


class Apart:
    """make() -> function, both in a process that the first call starts, and that is made anew after one that ended.

    limit: seconds of a call; the first one in a process has `start` more.
    """

    def __init__(self, make, limit, start=600.0):
        self.make, self.limit, self.start, self.process = make, limit, start, None

    def __call__(self, *args):
        """What the function returns, or raises. Raises Ended."""
        limit = self.limit
        if self.process is None:
            limit += self.start
            context = multiprocessing.get_context("spawn")
            self.pipe, there = context.Pipe()
            self.process = context.Process(target=_serve, args=(there, self.make), daemon=True)
            self.process.start()
            there.close()
        try:
            self.pipe.send(args)
            if self.pipe.poll(limit):
                value, error = self.pipe.recv()
                if error:
                    raise error
                return value
            said = f"does not answer in {self.limit:g} s"
        except (EOFError, ConnectionError):
            self.process.join()
            said = f"ends the process with code {self.process.exitcode}"
        self.close()
        raise Ended(said)

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None


def _serve(pipe, make):
    function = make()
    while True:
        try:
            args = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((function(*args), None))
        except Exception as error:
            pipe.send((None, RuntimeError(f"{type(error).__name__}: {error}")))
