"""Names of test cases: CMake splits lists at semicolons, ctest then asks for cases that are not there, and Catch calls that a success."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
CASE = re.compile(r'TEST_CASE(?:_METHOD)?\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')


def test_no_name_of_a_case_has_a_semicolon():
    sources = [p for p in ROOT.rglob("*_test.cpp") if "build" not in p.relative_to(ROOT).parts]
    names = [(path, name) for path in sources for name in CASE.findall(path.read_text())]
    assert len(names) > 500
    assert [(str(path), name) for path, name in names if ";" in name] == []
