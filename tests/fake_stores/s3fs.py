"""Takes the place of the package s3fs in the tests: buckets are the folders below $FAKE_BUCKETS.

Every file that is opened for reading is noted in the file ``opened`` beside the buckets, by any process.
"""

import os
from datetime import datetime, timezone
from pathlib import Path

from fsspec.spec import AbstractFileSystem

__version__ = "2026.9.0"


class S3FileSystem(AbstractFileSystem):
    protocol = "s3"

    def _place(self, path):
        return Path(os.environ["FAKE_BUCKETS"], self._strip_protocol(path))

    def info(self, path, **_):
        name = self._strip_protocol(path)
        facts = self._place(path).stat()
        if self._place(path).is_dir():
            return {"name": name, "size": 0, "type": "directory"}
        changed = datetime.fromtimestamp(facts.st_mtime, timezone.utc)
        return {"name": name, "size": facts.st_size, "type": "file", "LastModified": changed}

    def ls(self, path, detail=True, **_):
        place = self._place(path)
        if not place.is_dir():
            return [self.info(path)]
        return [self.info(f"{self._strip_protocol(path)}/{name}") for name in sorted(os.listdir(place))]

    def _open(self, path, mode="rb", **_):
        with Path(os.environ["FAKE_BUCKETS"], "opened").open("a") as notes:
            notes.write(f"{self._strip_protocol(path)}\n")
        return self._place(path).open(mode)
