"""split_archive.py ARCHIVE DIR - two labels to learn, in captures of some flows each: DIR/large and DIR/small, by the octets that a flow sent."""

import gzip
import json
import os
import sys

CAPTURES = 5
LARGE = 600

with gzip.open(sys.argv[1], "rt") as lines:
    header, *records = lines.read().splitlines()
for number, record in enumerate(records):
    label = "large" if json.loads(record)["bytes_out"] > LARGE else "small"
    os.makedirs(f"{sys.argv[2]}/{label}", exist_ok=True)
    with open(f"{sys.argv[2]}/{label}/{number % CAPTURES}.json", "a", encoding="utf-8") as to:
        to.write(record + "\n")
