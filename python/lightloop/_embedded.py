"""Imported by a program that has started an interpreter for its Python devices."""

import sys

sys.stdout = sys.stderr  # stdout belongs to the program, whose answer may be read by another one
if not getattr(sys, "argv", None):
    sys.argv = ["lightloop"]  # many libraries expect one

import lightloop  # noqa: E402, F401  (sets the hook)
