"""How long a cancel may have to wait."""

import time

import numpy as np


def seconds_of_pieces(work):
    """Seconds between each two checkpoints of work(checkpoint), the less of two runs: others run here too."""
    return np.minimum(_seconds(work), _seconds(work))


def _seconds(work):
    times = [time.thread_time()]
    work(lambda: times.append(time.thread_time()))
    return np.diff([*times, time.thread_time()])
