"""`pip install .`: CMake builds the extension and the library, and puts them side by side into the package.

Without a network: pip install --no-index --no-build-isolation .
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r"project\(Lightloop VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


class CMakeBuild(build_ext):
    def build_extension(self, extension):
        build = Path(self.build_temp).resolve()
        options = ["-DCMAKE_BUILD_TYPE=Release", f"-DPython_EXECUTABLE={sys.executable}"]
        options += [f"-DLIGHTLOOP_{part}=OFF" for part in ("TESTS", "EXAMPLES", "BENCHMARKS")]
        options += os.environ.get("CMAKE_ARGS", "").split()
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count()))
        target = Path(self.get_ext_fullpath(extension.name)).resolve().parent.parent
        subprocess.check_call(["cmake", "-S", str(ROOT), "-B", str(build), *options])
        subprocess.check_call(["cmake", "--build", str(build), "-j", jobs, "--target", "lightloop_python"])
        subprocess.check_call(["cmake", "--install", str(build), "--component", "python", "--prefix", str(target)])


setup(version=VERSION, ext_modules=[Extension("lightloop._core", sources=[])], cmdclass={"build_ext": CMakeBuild})
