"""Words that no text has which a person reads: in the command line's help, in the API's description, on the page."""

import re
from pathlib import Path
from typing import Final

#: One a line, as the page's own test reads them: words that say how something came to be here rather than what it does,
#: and words that were in texts and are not plain.
UNCLEAR: Final = re.compile(
    rf"\b(?:{'|'.join(Path(__file__).with_name('unclear.txt').read_text().splitlines())})\b", re.IGNORECASE
)
