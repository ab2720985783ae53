"""``python -m tests.serving.fake_analysis FOLDER NAME [SECONDS]``: an analysis that only pretends."""

import base64
import json
import sys
import time
from pathlib import Path

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVQI12NgAAAAAgAB4iG8MwAAAABJRU5ErkJggg=="

if __name__ == "__main__":
    folder, name = Path(sys.argv[1]), sys.argv[2]
    if name.startswith("fail"):
        raise SystemExit("error: asked to fail")
    if name.startswith("talk"):
        sys.stderr.write("much ado\n" * 3_000_000)
        raise SystemExit("error: about nothing")
    if name.startswith("full"):
        raise SystemExit(28)
    if name.startswith("eat"):
        eaten = bytearray(20_000_000_000)
    for step in range(5):
        (folder / "progress").write_text(str(step / 5))
        time.sleep((float(sys.argv[3]) if len(sys.argv) > 3 else 0.0) / 5)
    if (folder / "wanted.json").is_file():
        (folder / "maps.png").write_bytes(base64.b64decode(PIXEL))
        raise SystemExit
    clip = {"track_id": 0, "start_seconds": 0.0, "end_seconds": 0.0, "probability": 0.25}
    video = {"path": name, "status": "scored", "probability": 0.25, "verdict": "real", "clips": [clip]}
    (folder / "report.html").write_text("<p>report</p>")
    (folder / "result.csv").write_text(f"path\n{name}\n")
    if name.endswith(".png"):
        video["video"] = {"is_still": True}
        face = {"track_id": 0, "boxes": [[0, 0.1, 0.1, 0.6, 0.6]], "clips": [[0, 0, 0.25]]}
        drawn = {"is_still": True, "uncertain_low": 0.4, "threshold": 0.6, "faces": [face]}
        (folder / "timeline.json").write_text(json.dumps(drawn))
    judged = {"settings": {"clips": "all"}, "checkpoint": {"sha256": "abc"}, "videos": [video]}
    (folder / "result.json").write_text(json.dumps(judged))
