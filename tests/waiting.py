"""The one place where tests wait for something that cannot wake them."""
import time


def wait_for(condition, what, seconds=30, every=0.05):
    """The first true value of `condition`. `what` is text for the failure, or a function that makes it."""
    end = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what() if callable(what) else what}: not within {seconds} s")
        time.sleep(every)
