"""count.py REPORT.xml...: adds up JUnit reports and prints one line for each and one for all. Exit 1 on any failure."""
import pathlib
import sys
import xml.etree.ElementTree as ET


def counts(path):
    passed = failed = skipped = 0
    for case in ET.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main(paths):
    total = (0, 0, 0)
    for path in paths:
        one = counts(path)
        print(f"{pathlib.Path(path).stem}: {one[0]} passed, {one[1]} failed, {one[2]} skipped")
        total = tuple(a + b for a, b in zip(total, one))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
