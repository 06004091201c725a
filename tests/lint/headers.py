"""headers.py ROOT BUILD COMPILER [FLAG...]: every header compiles alone, and none that users include names a third-party library.

A header that some source of this build (BUILD/compile_commands.json) includes before anything else has been compiled alone by the
build; the others are compiled here. Where no source of a folder is in the build, what its headers need may not be there either.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOMS = ("core", "sim", "driver", "devices", "training")
PUBLIC = ("core/", "driver/api/")
CONCEPTS = ("core/ode/",)  # steppers are written in Boost.Odeint's concept, whose tag they must name
THIRD_PARTY = re.compile(r"#\s*include\s*<(Eigen|boost|hdf5|H5|pybind11|toml\+\+|nlohmann|Random123|openssl|curl|cblas|zlib)")


def first_include(source):
    found = re.search(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', source.read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def main(root, build, compiler, flags):
    root = pathlib.Path(root).resolve()
    headers = sorted(h.relative_to(root).as_posix() for room in ROOMS for h in (root / room).rglob("*.hpp"))
    commands = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    built = {pathlib.Path(one["directory"], one["file"]).resolve() for one in commands}
    sources = {source for room in ROOMS for source in (root / room).rglob("*.cpp")}
    firsts = {first_include(source) for source in sources & built}
    absent = {source.parent for source in sources} - {source.parent for source in sources & built}

    def compile_alone(header):
        run = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", *flags, "-I", str(root), "-"],
                             input=f'#include "{header}"\n', capture_output=True, text=True)
        return "" if run.returncode == 0 else f"{header} does not compile alone:\n{run.stderr}"

    alone = [h for h in headers if h not in firsts and (root / h).parent not in absent]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = [fault for fault in pool.map(compile_alone, alone) if fault]
    texts = {header: (root / header).read_text() for header in headers}
    for header, text in texts.items():
        private = not any(f'"{header}"' in other for other in texts.values())  # only sources include it; not installed
        public = header.startswith(PUBLIC) and not header.startswith(CONCEPTS) and not private
        if public and THIRD_PARTY.search(text):
            faults.append(f"{header} includes a third-party header; public headers do not")
    print("\n".join(faults))
    return 1 if faults or not headers else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4], sys.argv[4:]))
