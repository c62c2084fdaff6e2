"""Build the host for the embedded server and install the extension into it."""

import sys

from ruattn_fdw.server.errors import ServerError
from ruattn_fdw.server.installation import DEFAULT, embedded

try:
    installation = embedded(DEFAULT)
    print(f"building the host for {installation}", flush=True)
    installation.install()
except ServerError as error:
    sys.exit(str(error))
