"""A finite field that nobody knows beforehand: its prime and the elements of letters are drawn when the process starts.

The field has P² elements. P is 3 mod 4, so -1 is no square mod P: elements are a + bi with i² = -1, here (a, b), and
every whole number has a square root. The root of a composite is the product of its primes': √2·√3 = √6.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from math import isqrt
from secrets import randbelow, randbits, token_bytes

BITS = 190
_ROUNDS = 40
_MAX_ROOT = 10**6
_PRIMES = [number for number in range(2, 1000) if all(number % divisor for divisor in range(2, isqrt(number) + 1))]
"""Up to the root of _MAX_ROOT."""

Element = tuple[int, int]
"""a + bi in the field."""

ZERO: Element = (0, 0)
ONE: Element = (1, 0)
UNIT: Element = (0, 1)


def random_prime() -> int:
    """A prime of `BITS` bits that is 3 mod 4."""
    while True:
        number = randbits(BITS) | 1 << (BITS - 1) | 3
        if is_prime(number):
            return number


def is_prime(number: int) -> bool:
    """Is an odd number that is 3 mod 4 and over 1,000 prime? Miller and Rabin's test, wrong with a chance below 4^-40.

    Half of such a number's `number - 1` is odd, so each round is one power.
    """
    if any(number % prime == 0 for prime in _PRIMES):
        return False
    half = (number - 1) // 2
    return all(pow(randbelow(number - 3) + 2, half, number) in (1, number - 1) for _ in range(_ROUNDS))


P = random_prime()
_SECRET = token_bytes(32)


def plus(left: Element, right: Element) -> Element:
    return (left[0] + right[0]) % P, (left[1] + right[1]) % P


def minus(left: Element, right: Element) -> Element:
    return (left[0] - right[0]) % P, (left[1] - right[1]) % P


def times(left: Element, right: Element) -> Element:
    (a, b), (c, d) = left, right
    if not b and not d:
        return a * c % P, 0
    return (a * c - b * d) % P, (a * d + b * c) % P


def inverse(value: Element) -> Element:
    """1 / (a + bi) = (a - bi) / (a² + b²), which is 0 only for 0."""
    a, b = value
    norm = pow(a * a + b * b, -1, P)
    return a * norm % P, -b * norm % P


def power(base: Element, exponent: int) -> Element:
    if not base[1]:
        return pow(base[0], exponent, P), 0
    result = ONE
    for bit in bin(exponent)[2:]:
        result = times(result, result)
        result = times(result, base) if bit == "1" else result
    return result


@lru_cache(maxsize=4096)
def root_of(number: int) -> Element | None:
    """The product of the roots of the primes in `number`; None where it is no square and too large to find them."""
    if (whole := isqrt(number)) ** 2 == number:
        return whole % P, 0
    if number > _MAX_ROOT:
        return None
    result = ONE
    for prime in _PRIMES:
        while number % prime == 0:
            result = times(result, _prime_root(prime))
            number //= prime
        if prime * prime > number:
            break
    return times(result, _prime_root(number)) if number > 1 else result


@lru_cache(maxsize=4096)
def _prime_root(prime: int) -> Element:
    """A square root of a prime: of p or of -p this power is one mod P, and i times the latter is one of p."""
    root = pow(prime, (P + 1) // 4, P)
    return (root, 0) if root * root % P == prime else (0, root)


@lru_cache(maxsize=1024)
def element(letter: str, point: int) -> int:
    text = f"{point} {letter}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, key=_SECRET, digest_size=32).digest(), "big") % P
