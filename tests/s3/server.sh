#!/usr/bin/env bash
# Starts a server that speaks like S3 (moto, in memory) on a free port, with an empty bucket, and runs a command with
# DUALGAUGE_S3 set to it; the server ends with the command.
#
#     tests/s3/server.sh cargo test --features s3 --test s3
#
# Without a command it says what to export and serves until Ctrl-C. Python's packages go to target/s3-server, or are taken
# from the virtual environment that DUALGAUGE_S3_VENV names.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv="${DUALGAUGE_S3_VENV:-target/s3-server}"
if [ ! -x "$venv/bin/moto_server" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'moto[server]>=5,<6'
fi

log="$(mktemp)"
port="$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
"$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT

# The bucket is made as soon as the server answers.
export DUALGAUGE_S3="http://127.0.0.1:$port/dualgauge"
if ! "$venv/bin/python" - "$DUALGAUGE_S3" <<'PYTHON'
import sys, time, urllib.request

for attempt in range(300):
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="PUT"))
        sys.exit(0)
    except OSError as error:
        last = error
        time.sleep(0.1)
sys.exit(f"no bucket at {sys.argv[1]}: {last}")
PYTHON
then
    cat "$log" >&2
    exit 1
fi

if [ $# -gt 0 ]; then
    "$@"
else
    echo "export DUALGAUGE_S3=$DUALGAUGE_S3"
    wait "$server"
fi
