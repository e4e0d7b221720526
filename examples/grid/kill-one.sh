#!/bin/sh
# Kills a node in mid-run. The others take its part over, and the report says what happened.
#
#   examples/grid/with-grid 3 examples/grid/kill-one.sh
set -eu
throng=${THRONG:-throng}
here=$(dirname "$0")

id=$("$throng" run --detach -e "BASE_URL=${BASE_URL:-http://127.0.0.1:8080}" "$here/steady.js")
sleep 2
kill -9 "$(cat "$GRID_DIR/h3.pid")"
"$throng" attach -q "$id"
