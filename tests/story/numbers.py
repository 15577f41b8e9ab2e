"""How large stories are: with ``STORIES=full`` in the environment as large as what we promise, else as large as they need be."""

import os

FULL = os.environ.get("STORIES") == "full"
