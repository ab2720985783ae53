"""What the tests of the verbs share: figures that are made and not drawn."""

import base64

import pytest
from matplotlib.figure import Figure

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVQI12NgAAAAAgAB4iG8MwAAAABJRU5ErkJggg=="
)


@pytest.fixture(autouse=True, scope="module")
def _undrawn():
    """To draw a figure takes half a second: tests/reporting and tests/protocols draw one of each kind."""
    draw = Figure.savefig

    def savefig(self, file, **options):
        if options.get("format") == "png":
            file.write(PIXEL)
        else:
            draw(self, file, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield
