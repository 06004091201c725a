"""Writes lightloop/_core.pyi from the built extension with mypy's stubgen.

    PYTHONPATH=build/python /usr/bin/python3 python/update_stubs.py [--check]

--check changes nothing and fails when the committed file is out of date.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).resolve().parent / "lightloop" / "_core.pyi"
HEADER = "# Made by python/update_stubs.py; do not edit.\n"


def generate() -> str:
    with tempfile.TemporaryDirectory() as folder:
        code = f"from mypy.stubgen import main; main(['-m', 'lightloop._core', '-o', {folder!r}])"
        command = [sys.executable, "-c", code]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "MYPY_CACHE_DIR": folder})
        text = (Path(folder) / "lightloop" / "_core.pyi").read_text()
    text = re.sub(r"^import flags\n", "", text, flags=re.M)  # stubgen takes numpy.ndarray[flags...] for a module
    text = re.sub(r", flags\.\w+", "", text)
    return HEADER + text


def main() -> int:
    text = generate()
    if "--check" not in sys.argv:
        STUB.write_text(text)
        return 0
    if STUB.exists() and STUB.read_text() == text:
        return 0
    STUB.with_suffix(".new.pyi").write_text(text)
    print(f"{STUB} is out of date; run python/update_stubs.py (what it should be: {STUB.with_suffix('.new.pyi')})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
