"""Loads the module of c104 with its C functions, then our receiver, and lets it run: client.py LIBRARY HOST PORT K W POINTS"""

import ctypes
import glob
import os
import sys

import c104

module = glob.glob(os.path.join(os.path.dirname(c104.__file__), "_c104*.so"))[0]
ctypes.CDLL(module, mode=ctypes.RTLD_GLOBAL)
library, host, port, k, w, points = sys.argv[1:]
receiver = ctypes.CDLL(library)
receiver.receive.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
sys.exit(receiver.receive(host.encode(), int(port), int(k), int(w), int(points)))
