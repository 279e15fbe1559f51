"""What the daemon's counters say (the answer of `flowclassctl --json stats` on standard input), and whether they agree.

    sums.py figure NAME...           figures by their path: verdicts.waiting
    sums.py check OFFERED LOG...     every sum, and that what is in the log is what was counted

OFFERED is how many packets were sent, or "-" where nobody knows. For a check the daemon must be at rest. A LOG of "-" says that
the log is not all there, so that only the counters can be compared. Silent if all is well.
"""

import collections
import json
import sys


def figure(stats, path):
    for name in path.split("."):
        stats = stats[name]
    return stats


def read_log(names):
    """Lines by state of the flow, labels, packets in flows, and lines of any kind. Every line has to be whole."""
    states, labels, packets, lines = collections.Counter(), collections.Counter(), 0, 0
    for name in names:
        for line in open(name):
            event = json.loads(line)
            lines += 1
            if event["event_type"] == "flowclass":
                verdict, flow = event["flowclass"], event["flow"]
                states[verdict["state"]] += 1
                packets += flow["pkts_toserver"] + flow["pkts_toclient"]
                if verdict["state"] == "classified":
                    labels[verdict["label"]] += 1
    return states, labels, packets, lines


def check(stats, offered, logs):
    packets, flows, verdicts = stats["packets"], stats["flows"], stats["verdicts"]
    not_classified = verdicts["not_classified_by_cause"]

    def equal(what, left, right):
        if left != right:
            wrong.append(f"{what}: {left} is not {right}")

    wrong = []
    equal("the daemon's own opinion", stats["balanced"], True)
    equal("packets seen", packets["seen"], packets["decoded"] + packets["ignored"] + packets["dropped"])
    equal("packets ignored", packets["ignored"], sum(packets["ignored_by_reason"].values()))
    equal("packets dropped", packets["dropped"], sum(packets["dropped_by_cause"].values()))
    equal("flows at rest", (flows["active"], verdicts["waiting"]), (0, 0))
    equal("flows created", flows["created"], flows["finished"])
    equal("flows finished", flows["finished"], sum(flows["finished_by_reason"].values()))
    equal("flows judged", flows["finished"], verdicts["classified"] + verdicts["unknown"] + verdicts["not_classified"])
    equal("flows not classified", verdicts["not_classified"], sum(not_classified.values()))
    equal("flows classified", verdicts["classified"], sum(verdicts["labels"].values()))
    for output in "verdicts", "records":
        equal(f"{output} lost", stats[output]["lost"], sum(stats[output]["lost_by_cause"].values()))
    if offered != "-":
        equal("packets seen and offered", packets["seen"], int(offered))
    if logs != ["-"]:
        states, labels, in_flows, lines = read_log(logs)
        # Once a minute there is a line with the counters themselves, perhaps after these were asked for.
        if not sum(states.values()) <= verdicts["written"] <= lines:
            wrong.append(f"lines in the log: {lines} do not go with {verdicts['written']} written")
        equal("flows in the log and lost", sum(states.values()) + verdicts["lost"], flows["finished"])
        if verdicts["lost"] == 0:
            equal("packets in the log", in_flows, packets["decoded"] - packets["retransmissions"])
            equal("labels in the log", dict(labels), verdicts["labels"])
            for state in "classified", "unknown", "not_classified":
                equal(f"{state} in the log", states[state], verdicts[state])
    return wrong


def main():
    stats = json.load(sys.stdin)["message"]
    if sys.argv[1] == "figure":
        print(*(figure(stats, name) for name in sys.argv[2:]))
        return
    wrong = check(stats, sys.argv[2], sys.argv[3:])
    for line in wrong:
        print("does not balance:", line)
    sys.exit(bool(wrong))


main()
