"""Plugins: built with a plain compiler line, found, checked; what is no plugin is listed with its reason."""

import json
import shutil
import subprocess

import pytest
from e2e import BUILD, ROOT

INCLUDE = ROOT / "driver" / "backends" / "plugin" / "include"
EXAMPLES = ROOT / "examples" / "plugin"
BROKEN = {
    "no_symbol": "int nothing_of_interest = 1;",
    "wrong_major": """
        #include <lightloop/plugin.h>
        static const lightloop_plugin table = {sizeof table, 9, 4};
        extern "C" LIGHTLOOP_PLUGIN_EXPORT const lightloop_plugin* lightloop_plugin_entry(uint32_t, uint32_t) { return &table; }""",
    "short_table": """
        #include <lightloop/plugin.h>
        static const lightloop_plugin table = {20, LIGHTLOOP_PLUGIN_MAJOR, LIGHTLOOP_PLUGIN_MINOR};
        extern "C" LIGHTLOOP_PLUGIN_EXPORT const lightloop_plugin* lightloop_plugin_entry(uint32_t, uint32_t) { return &table; }""",
    "throws": """
        #include <lightloop/plugin.h>
        extern "C" LIGHTLOOP_PLUGIN_EXPORT const lightloop_plugin* lightloop_plugin_entry(uint32_t, uint32_t) { throw 1; }""",
    "unresolved": "extern int not_there(); int there() { return not_there(); }",
}
REASONS = {
    "no_symbol": ["no symbol lightloop_plugin_entry"],
    "wrong_major": ["9.4", "1.1"],
    "short_table": ["20 bytes"],
    "throws": ["exception"],
    "unresolved": ["undefined symbol"],
}


def compile_plugin(source, out, *options):
    compiler = "cc" if source.suffix == ".c" else "c++"
    subprocess.run([compiler, "-shared", "-fPIC", "-I", INCLUDE, *options, source, "-o", out], check=True, timeout=120)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    for name, text in BROKEN.items():
        source = folder / f"{name}.cpp"
        source.write_text(text)
        compile_plugin(source, folder / f"{name}.so", "-std=c++17")
    (folder / "text.so").write_text("not a library")
    return folder


@pytest.mark.skipif(not shutil.which("c++"), reason="no compiler")
def test_a_plain_compiler_line_makes_a_plugin_with_one_symbol_of_its_own(lightloop, tmp_path):
    compile_plugin(EXAMPLES / "speckle.cpp", tmp_path / "speckle.so", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror")
    compile_plugin(EXAMPLES / "mirror.c", tmp_path / "mirror.so", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
    listed = subprocess.run(["nm", "-D", "--defined-only", tmp_path / "speckle.so"], capture_output=True, text=True).stdout
    ours = [line for line in listed.splitlines() if line.split()[1] not in "Wuv"]  # the rest is the standard library's
    assert [line.split()[2] for line in ours] == ["lightloop_plugin_entry"]
    assert "9lightloop" not in "".join(line for line in listed.splitlines() if "_ZNSt" not in line)
    for name in ("speckle", "mirror"):
        done = lightloop("check", f"plugin:example.{name}", environment={"LIGHTLOOP_PLUGIN_PATH": str(tmp_path)})
        assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr


def test_every_simulated_device_keeps_the_contract_behind_the_interface(lightloop):
    path = {"LIGHTLOOP_PLUGIN_PATH": str(BUILD / "plugins")}
    models = [model["name"].removeprefix("sim:") for model in json.loads(lightloop("devices", "--json").stdout)["models"]]
    assert {"opu", "crossbar", "delay_vcsel", "mzi_mesh"} <= set(models)
    for name in models:
        done = lightloop("check", f"plugin:example.{name}", environment=path)
        assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr


def test_good_and_broken_plugins_are_listed_side_by_side(lightloop, broken):
    path = {"LIGHTLOOP_PLUGIN_PATH": f"{BUILD / 'plugins'}:{broken}"}
    listed = json.loads(lightloop("devices", "--json", environment=path).stdout)
    assert {"plugin:example.speckle", "plugin:example.mirror", "plugin:example.opu"} <= {f["address"] for f in listed["found"]}
    problems = {f["address"]: f["problem"] for f in listed["failed"]}
    for name, words in REASONS.items():
        assert all(word in problems[str(broken / f"{name}.so")] for word in words), problems
    assert str(broken / "text.so") in problems
    text = lightloop("devices", environment=path).stdout
    assert "✓ plugin:example.speckle" in text and f"✗ {broken / 'wrong_major.so'}" in text
    assert lightloop("check", "plugin:example.mirror", environment=path).returncode == 0


def test_an_unknown_plugin_names_what_there_is_and_what_failed(lightloop, broken):
    path = {"LIGHTLOOP_PLUGIN_PATH": f"{BUILD / 'plugins'}:{broken}"}
    done = lightloop("check", "plugin:example.specle", environment=path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "Did you mean example.speckle?" in done.stderr and "9.4" in done.stderr
    done = lightloop("check", "plugin:example.speckle,camera.exposre=1", environment=path)
    assert done.returncode == 2 and 'Did you mean "camera.exposure"?' in done.stderr


def test_one_device_is_shown_with_its_settings(lightloop):
    path = {"LIGHTLOOP_PLUGIN_PATH": str(BUILD / "plugins")}
    text = lightloop("devices", "plugin:example.speckle", environment=path).stdout
    assert "serial 0001" in text and "camera.exposure" in text and "of each picture" in text
