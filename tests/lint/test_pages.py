"""Pages that explain a record to those who write one name all of it."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULE = (ROOT / "training/rules/rule.hpp").read_text()
PAGE = (ROOT / "docs/adding_a_rule.md").read_text()


def body(name):
    return re.search(rf"^(?:struct|class) {name} \{{\n(.*?)^\}};", RULE, re.S | re.M)[1]


def test_the_page_on_rules_names_every_field_of_their_record():
    fields = re.findall(r"^  [\w:<>]+ (\w+)(?: = [^;]+)?;", body("RuleInfo"), re.M)
    assert {"name", "params", "no_map"} <= set(fields)
    assert [field for field in fields if f"`{field}`" not in PAGE] == []


def test_the_page_on_rules_names_every_method_that_a_rule_may_have():
    methods = set(re.findall(r"^  virtual [^;{]*?(\w+)\(", body("Rule"), re.M)) - {"Rule", "info"}
    assert {"gradient", "scores", "rows_at_once"} <= methods
    assert sorted(method for method in methods if f"`{method}(" not in PAGE) == []


def test_no_two_runs_of_a_page_write_the_same_file():
    """Whoever follows a page from top to bottom is not refused for a file that a line above has left."""
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", page.read_text(), re.S | re.M)
        runs = re.findall(r"^lightloop train (.*)", "\n".join(blocks).replace("\\\n", " "), re.M)
        files = [re.search(r"--out (\S+)|$", run)[1] or "run.h5" for run in runs if "--resume" not in run and "--dry-run" not in run]
        assert len(files) == len(set(files)), (page.name, files)
