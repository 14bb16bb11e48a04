#!/usr/bin/env bash
# Installs the peers of the bench into a Python environment of their own, under the build's directory; once.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
target="${1:-$here/../../../../target/nexmark-peers}"
if [ ! -x "$target/bin/python" ]; then
    python3 -m venv "$target"
fi
"$target/bin/pip" install --quiet --requirement "$here/requirements.txt"
echo "$target/bin/python"
