//go:build unix

package runner

import "sync"

// niceness is by how much a runner yields to its node, which must keep its lease while every core is busy.
const niceness = 5

// nicer is a runner's niceness. It is asked for the first time before any thread of the node is made nicer.
var nicer = sync.OnceValue(func() int { return min(19, ownNiceness()+niceness) })
