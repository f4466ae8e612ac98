"""Waiting: for a condition, with a deadline and a name; nothing in the tests sleeps for a fixed time and hopes."""
import time

DEADLINE = 20.0


def wait_for(condition, what, deadline=DEADLINE, pause=0.02):
    """Polls `condition` until it gives something true, and returns that. What a starting peer raises counts as not yet."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, LookupError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:g} s in vain for {what}; last seen: {last!r}")
        time.sleep(pause)


def steady(measure, what, duration=0.5, deadline=DEADLINE, pause=0.05):
    """What `measure` gives once it has not changed for a while."""
    end = time.monotonic() + deadline
    last, since = measure(), time.monotonic()
    while time.monotonic() - since < duration:
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:g} s in vain until {what}; last seen: {last!r}")
        time.sleep(pause)
        now = measure()
        if now != last:
            last, since = now, time.monotonic()
    return last


def holds_for(condition, what, duration=0.3, pause=0.02):
    """Asserts that `condition` stays true for a while: for what must not happen, where no event can tell."""
    end = time.monotonic() + duration
    while time.monotonic() < end:
        if not condition():
            raise AssertionError(f"ceased to hold: {what}")
        time.sleep(pause)
