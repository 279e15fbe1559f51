"""tally.py CONFIGURATION TESTLOG.JSON - a meson test log as lines for tests/run: PASS, FAIL or SKIP, configuration, test
name, reason. The reason of a skipped test is what it said itself ("skipped: why")."""

import json
import re
import sys

WORDS = {"OK": "PASS", "EXPECTEDFAIL": "PASS", "SKIP": "SKIP"}


def reason(test):
    if test["result"] != "SKIP":
        return test["result"].lower()
    said = re.search(r"^skipped: (.*)", test.get("stdout", ""), re.MULTILINE)
    return said.group(1) if said else "gave no reason"


configuration, log = sys.argv[1:]
with open(log) as lines:
    for line in lines:
        test = json.loads(line)
        name = test["name"].rsplit(" / ")[-1]  # "project:suite / name" where there are several suites
        print(WORDS.get(test["result"], "FAIL"), configuration, name, reason(test), sep="\t")
