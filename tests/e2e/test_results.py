"""The reduced tier of the tables of docs/results.md: learning rules reach their floors on procedural digits."""

import importlib.util
import json
import subprocess

import pytest
from e2e import COMMAND, ROOT

SCRIPT = ROOT / "tools" / "results" / "rules_digits.py"
spec = importlib.util.spec_from_file_location("rules_digits", SCRIPT)
rules_digits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rules_digits)


def test_every_row_is_one_of_the_rules(lightloop):
    assert len(rules_digits.REDUCED) >= 25  # a new rule may have a row, none is taken out
    assert set(rules_digits.REDUCED) <= {rule["name"] for rule in json.loads(lightloop("rules", "--json").stdout)}


@pytest.mark.parametrize("rule", rules_digits.REDUCED)
def test_a_rule_reaches_its_floor(rule):
    words = ["/usr/bin/python3", SCRIPT, "--lightloop", COMMAND, "--reduced", "--only", rule]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "reached" in done.stdout, done.stdout + done.stderr


def test_a_floor_that_is_missed_ends_with_1(monkeypatch, capsys):
    monkeypatch.setitem(rules_digits.REDUCED, "bp", (100.1, rules_digits.REDUCED["bp"][1]))
    assert not rules_digits.reduced(str(COMMAND), ["bp"])
    assert "missed" in capsys.readouterr().out
