"""slew.py PPM: let the clock run that many millionths too fast (negative: slow) by adjtimex; 0 ends it."""

import ctypes
import sys

ADJ_TICK = 0x4000
TICKS_PER_S = 100


class Timex(ctypes.Structure):
    """struct timex up to the field that is set."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        *[(name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")],
        ("status", ctypes.c_int),
        *[(name, ctypes.c_long) for name in ("constant", "precision", "tolerance", "sec", "usec", "tick")],
        ("rest", ctypes.c_char * 256),
    ]


# A tick is 10,000 us; so its unit is 100 ppm.
wish = Timex(modes=ADJ_TICK, tick=1_000_000 // TICKS_PER_S + round(int(sys.argv[1]) / 100))
libc = ctypes.CDLL(None, use_errno=True)
if libc.adjtimex(ctypes.byref(wish)) < 0:
    sys.exit(f"adjtimex: errno {ctypes.get_errno()}")
