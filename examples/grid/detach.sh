#!/bin/sh
# Leaves a run to the grid, looks at it, and comes back for what it came to.
#
#   examples/grid/with-grid 3 examples/grid/detach.sh
set -eu
throng=${THRONG:-throng}
here=$(dirname "$0")

id=$("$throng" run --detach -e "BASE_URL=${BASE_URL:-http://127.0.0.1:8080}" "$here/numbers.js")
"$throng" runs            # from any machine, with any node's address
"$throng" attach -q "$id" # follows the run, prints its summary and exits with its exit code
"$throng" logs "$id"      # what the scripts wrote, on all nodes
