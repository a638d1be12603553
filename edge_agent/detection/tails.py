"""Tail probabilities as base-10 logarithms: they never underflow, and a larger score always gives a smaller one."""

import math
from functools import lru_cache

_LOG10_E = math.log10(math.e)
_MAX_FRACTION_TERMS = 300
_TINY = 1e-300


def normal_log10_sf(z: float) -> float:
    """log10 of P(Z > z) of the standard normal distribution.

    >>> round(normal_log10_sf(0.0), 4), round(normal_log10_sf(40.0), 1)
    (-0.301, -349.4)
    """
    if z < 30.0:
        return math.log10(0.5 * math.erfc(z / math.sqrt(2.0)))
    series = 1.0 - 1.0 / z**2 + 3.0 / z**4
    return _LOG10_E * (-0.5 * z * z - math.log(z * math.sqrt(2.0 * math.pi)) + math.log(series))


def student_log10_sf(t: float, dof: float) -> float:
    """log10 of P(T > t) of Student's t distribution.

    By the continued fraction of the incomplete beta function (Press et al., Numerical Recipes, 6.4), in logarithms.

    Args:
        t: Any finite number.
        dof: Degrees of freedom, positive.

    >>> round(student_log10_sf(0.0, 5.0), 4), round(student_log10_sf(1e6, 9.0), 2)
    (-0.301, -50.59)
    """
    t = max(min(t, 1e100), -1e100)
    log10_half = math.log10(0.5)
    one_sided = log10_half + _log_beta_tail(t * t / dof, dof / 2.0) * _LOG10_E  # P(T > |t|)
    if t >= 0:
        return one_sided
    return math.log1p(-(10.0**one_sided)) * _LOG10_E


def student_quantile(log10_p: float, dof: float) -> float:
    """The t for which `student_log10_sf(t, dof)` equals `log10_p`, which is below 0."""
    low, high = -1.0, 1.0
    while student_log10_sf(high, dof) > log10_p and high < 1e90:
        high *= 2.0
    while student_log10_sf(low, dof) < log10_p and low > -1e90:
        low *= 2.0
    while high - low > 1e-12 * max(1.0, abs(low), abs(high)):
        middle = 0.5 * (low + high)
        if student_log10_sf(middle, dof) > log10_p:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _log_beta_tail(ratio: float, a: float) -> float:
    """Natural log of I_x(a, 1/2) at x = 1 / (1 + ratio), the two-sided tail of Student's t with 2a degrees."""
    b = 0.5
    log_x = -math.log1p(ratio)
    if ratio == 0.0:
        return 0.0
    log_1mx = math.log(ratio) + log_x
    log_front = _log_beta(a, b) + a * log_x + b * log_1mx
    x = math.exp(log_x)
    if x < (a + 1.0) / (a + b + 2.0):
        return log_front + math.log(_beta_fraction(x, a, b) / a)
    rest = math.exp(log_front) * _beta_fraction(math.exp(log_1mx), b, a) / b
    return math.log1p(-min(rest, 1.0 - 1e-16))


@lru_cache(maxsize=256)
def _log_beta(a: float, b: float) -> float:
    """Of the degrees of freedom alone, which are the same for every window of a machine."""
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Lentz's evaluation of the continued fraction of the incomplete beta function."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    fraction = d
    for m in range(1, _MAX_FRACTION_TERMS):  # two steps of it, written out: there are five such in every window
        even = a + 2 * m
        numerator = m * (b - m) * x / ((even - 1.0) * even)
        d = 1.0 + numerator * d
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = 1.0 + numerator / c
        c = c if abs(c) > _TINY else _TINY
        fraction *= d * c
        numerator = -(a + m) * (a + b + m) * x / (even * (even + 1.0))
        d = 1.0 + numerator * d
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = 1.0 + numerator / c
        c = c if abs(c) > _TINY else _TINY
        fraction *= d * c
        if abs(d * c - 1.0) < 1e-14:
            break
    return fraction
