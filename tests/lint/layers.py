"""layers.py ROOT: refuses an #include that points the wrong way (see docs/architecture.md)."""
import pathlib
import re
import sys

# folder -> what its files may include; the longest matching folder decides. tools, examples, python and tests may include all.
ALLOWED = {
    "core": ["core"],
    "sim": ["sim", "core"],
    "driver": ["driver", "core"],
    "driver/api": ["driver/api", "core"],
    "driver/recorder": ["driver/recorder", "driver/api", "core"],
    "driver/backends": ["driver/backends", "driver/recorder", "driver/api", "core"],
    "devices": ["devices", "driver/api", "sim", "core"],
    "training": ["training", "driver/api", "driver/projection", "driver/recorder", "driver/reservoir", "driver/layer", "core"],
}
ROOMS = ("core", "sim", "driver", "devices", "training", "tools", "examples", "python", "tests")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)', re.MULTILINE)


def within(path, folder):
    return path == folder or path.startswith(folder + "/")


def wrong_includes(root):
    root = pathlib.Path(root)
    found = []
    for room in sorted({folder.split("/")[0] for folder in ALLOWED}):
        for file in sorted((root / room).rglob("*.[ch]pp")):
            name = file.relative_to(root).as_posix()
            folder = max((f for f in ALLOWED if within(name, f)), key=len)
            for bracket, target in INCLUDE.findall(file.read_text()):
                ours = target.split("/")[0] in ROOMS
                if ours and not any(within(target, allowed) for allowed in ALLOWED[folder]):
                    found.append(f"{name} includes {target}: {folder}/ may include only {', '.join(ALLOWED[folder])}")
                elif not ours and bracket == '"' and "/" not in target:
                    found.append(f"{name} includes {target}: write the path from the repository's root")
    return found


if __name__ == "__main__":
    faults = wrong_includes(sys.argv[1])
    print("\n".join(faults))
    sys.exit(1 if faults else 0)
