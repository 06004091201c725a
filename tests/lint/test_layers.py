"""The lints themselves: what is planted is found, and the rooms as they stand are clean."""
import json
import pathlib

import headers
from layers import wrong_includes
from names import names_said_twice

ROOT = pathlib.Path(__file__).resolve().parents[2]


def plant(root, name, line):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line + "\n")


def test_the_rooms_are_clean():
    assert wrong_includes(ROOT) == []
    assert names_said_twice(ROOT) == []


def test_training_may_not_include_a_device(tmp_path):
    plant(tmp_path, "training/a.cpp", '#include "devices/opu/opu.hpp"')
    plant(tmp_path, "training/b.cpp", '#include "driver/projection/projection.hpp"')
    assert [fault.split()[0] for fault in wrong_includes(tmp_path)] == ["training/a.cpp"]


def test_the_driver_may_not_include_physics(tmp_path):
    plant(tmp_path, "driver/projection/a_test.cpp", '#include "sim/optics/speckle.hpp"')
    assert len(wrong_includes(tmp_path)) == 1


def test_a_device_may_not_reach_above_the_contract(tmp_path):
    plant(tmp_path, "devices/opu/opu.cpp", '#include "driver/projection/projection.hpp"')
    plant(tmp_path, "devices/opu/opu.hpp", '#include "driver/api/device.hpp"')
    assert len(wrong_includes(tmp_path)) == 1


def test_angle_brackets_hide_nothing(tmp_path):
    plant(tmp_path, "sim/a.cpp", "#include <driver/api/device.hpp>\n#include <vector>")
    assert len(wrong_includes(tmp_path)) == 1


def test_two_classes_of_one_name_are_found(tmp_path):
    plant(tmp_path, "core/a.cpp", "namespace lightloop {\nclass Trial final : public Rule {\n};\n}  // namespace lightloop")
    plant(tmp_path, "driver/b.hpp", "namespace lightloop {\nstruct Trial {\n};\n}  // namespace lightloop")
    assert [fault.split()[0] for fault in names_said_twice(tmp_path)] == ["lightloop::Trial"]


def test_a_file_may_keep_a_name_to_itself(tmp_path):
    for name in ("core/a.cpp", "core/b.cpp"):
        plant(tmp_path, name, "namespace lightloop {\nclass Later;\nnamespace {\nstruct Trial {\n};\n}  // namespace\n}  // namespace lightloop")
    plant(tmp_path, "core/c.cpp", "namespace lightloop {\nstruct Trial {\n};\nstruct Trial::Inner {\n};\n}  // namespace lightloop")
    assert names_said_twice(tmp_path) == []


def test_a_header_is_compiled_alone_unless_a_source_of_the_build_has_done_it(tmp_path, capsys):
    plant(tmp_path, "core/whole.hpp", "#pragma once\n#include <string>\nstd::string whole();")
    plant(tmp_path, "core/part.hpp", "#pragma once\nstd::string part();")
    for name in ("whole", "part"):
        plant(tmp_path, f"core/{name}.cpp", f'#include "core/{name}.hpp"')

    def lint(*built):
        commands = [{"directory": str(tmp_path), "file": f"core/{name}.cpp"} for name in built]
        (tmp_path / "compile_commands.json").write_text(json.dumps(commands))
        return headers.main(tmp_path, tmp_path, "c++", [])

    assert lint("whole") == 1
    assert "core/part.hpp does not compile alone" in capsys.readouterr().out
    assert lint("whole", "part") == 0  # the compiler would have said so
    assert lint() == 0  # nothing of the folder is built here
