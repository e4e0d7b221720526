#!/bin/sh
# Chooses nodes: by their labels, and by how many.
#
#   examples/grid/with-grid 3 examples/grid/zones.sh
set -eu
throng=${THRONG:-throng}
here=$(dirname "$0")

"$throng" run -q --where zone=b "$here/where.js" # the nodes that were started with --label zone=b
"$throng" run -q --nodes 2 "$here/where.js"      # any two: the strongest, where --capacity differs
