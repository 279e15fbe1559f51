"""make.py FOLDER [SECONDS] - the files that the web servers of the end-to-end network serve, the same at every run.

    news/     a front page of some forty objects: style sheets, scripts, pictures
    social/   a feed page and its pictures; the feed itself comes from feed.py
    video/    SECONDS of two qualities in segments of two seconds, as files of the sizes that an encoder makes

Objects are random octets, as pictures and video are to whoever looks at their packets.
"""

import os
import random
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SEGMENT_SECONDS = 2
BITRATES = {"low": 100_000, "high": 280_000}


def write(path, octets):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(random.randbytes(octets))


def log_size(median, spread, most):
    return int(min(most, median * random.lognormvariate(0, spread)))


def news(folder):
    objects = [f"style{i}.css" for i in range(3)] + [f"script{i}.js" for i in range(6)]
    objects += [f"picture{i}.jpg" for i in range(30)]
    tags = []
    for name in objects:
        write(f"{folder}/{name}", log_size(3_500, 0.9, 40_000))
        # No script or style sheet is run: pictures are fetched alike, and random octets are no program.
        tags.append(f'<img src="{name}" alt="">')
    with open(f"{folder}/index.html", "w") as page:
        page.write("<!doctype html><title>news</title>\n" + "\n".join(tags) + "\n<p>" + "text " * 3000)
    with open(f"{folder}/objects", "w") as names:
        names.writelines(name + "\n" for name in objects)


def social(folder):
    for i in range(24):
        write(f"{folder}/picture{i}.jpg", log_size(9_000, 0.6, 40_000))
    shutil.copy(f"{HERE}/social.html", f"{folder}/index.html")


def video(folder, seconds):
    for quality, bitrate in BITRATES.items():
        for i in range(seconds // SEGMENT_SECONDS):
            write(f"{folder}/{quality}/{i}.m4s", int(bitrate / 8 * SEGMENT_SECONDS * random.uniform(0.7, 1.3)))
    shutil.copy(f"{HERE}/video.html", f"{folder}/index.html")


def main():
    folder, seconds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    random.seed(20180712)
    news(f"{folder}/news")
    social(f"{folder}/social")
    video(f"{folder}/video", seconds)


main()
