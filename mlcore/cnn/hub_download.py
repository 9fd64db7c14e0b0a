"""Fetches a published encoder's files into the hub's cache: a program of its own.

`mlcore.cnn.hub` runs it, so that a hub that hangs can be given up whatever the hub's client
does. It imports nothing of ours, and so does not wait for torch.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import Final

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError

#: What timm loads: of the weights the first that there is.
CONFIG: Final = "config.json"
WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
#: However little comes at a time, an orphan ends too.
MOST_SECONDS: Final = 3600
# The client writes only whole chunks of 10 MB, too rarely to see a slow download go on.
_CHUNK_BYTES: Final = 1 << 16


def fetch(name: str) -> None:
    """Fetch the files of ``owner/name``, or ``owner/name@revision``, that timm wants.

    Raises whatever the hub's client raises.
    """
    repository, _, revision = name.partition("@")
    hf_hub_download(repository, CONFIG, revision=revision or None)
    *others, last = WEIGHTS
    for weights in others:
        with suppress(EntryNotFoundError):
            hf_hub_download(repository, weights, revision=revision or None)
            return
    hf_hub_download(repository, last, revision=revision or None)


def main() -> int:
    """Fetch what the first argument names; say the kind of error where it cannot be had."""
    # So that the client removes what is half there.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.alarm(MOST_SECONDS)
    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK_BYTES
    try:
        fetch(sys.argv[1])
    # A score of unrelated types, all of which mean "no weights".
    except Exception as error:  # noqa: BLE001
        sys.stdout.write(type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
