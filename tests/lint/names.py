"""names.py ROOT: refuses two classes of one name in one namespace, of which the linker would silently keep one's functions for both."""
import collections
import pathlib
import re
import sys

from layers import ROOMS

OPENS = re.compile(r"^(?:inline )?namespace\s*([\w:]*)\s*\{")
CLOSES = re.compile(r"^\}\s*//\s*namespace")
DEFINES = re.compile(r"^(?:class|struct|union)\s+(?:alignas\(\w+\)\s+)?(\w+)\b(?!::|<)(?!.*;\s*$)")


def classes_of(file, text):
    """Names of the classes a file defines outside other classes, each with its namespaces; one without a name is the file's own."""
    namespaces = []
    for line in text.splitlines():
        if opened := OPENS.match(line):
            namespaces.append(opened[1] or f"({file})")
        elif CLOSES.match(line) and namespaces:
            namespaces.pop()
        elif defined := DEFINES.match(line):
            yield "::".join([*namespaces, defined[1]])


def names_said_twice(root):
    root = pathlib.Path(root)
    found = collections.defaultdict(list)
    for room in ROOMS:
        for file in sorted((root / room).rglob("*.[ch]pp")):
            name = file.relative_to(root).as_posix()
            for defined in classes_of(name, file.read_text()):
                found[defined].append(name)
    return [f"{defined} is defined in {' and in '.join(files)}: give one another name" for defined, files in found.items() if len(files) > 1]


if __name__ == "__main__":
    faults = names_said_twice(sys.argv[1])
    print("\n".join(faults))
    sys.exit(1 if faults else 0)
