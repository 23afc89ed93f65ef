"""Take JSON objects apart without reading what is in them: what strangers gave stays the text that it is."""

from typing import Final

import msgspec

_DECODER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def members(text: str) -> dict[str, str]:
    """Split the JSON text of an object into its members, each as the text that it is. ValueError: it is no object."""
    try:
        return {name: str(raw, "utf-8") for name, raw in _DECODER.decode(text).items()}
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
