"""Functions to spread: of a module that other processes can import."""

import os
import time


def square(number: int) -> int:
    return number * number


def where(number: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise ValueError("seven is too odd")
    return number


def blas_threads(_number: int) -> list[int]:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((8, 8)) @ np.ones((8, 8))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
