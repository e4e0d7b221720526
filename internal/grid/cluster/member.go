package cluster

import "errors"

// Member is one of those who keep the store, as they see it themselves.
type Member struct {
	ID      string // in hexadecimal
	Name    string // the node's; "" until the member has started for the first time
	PeerURL string
	Learner bool
}

// ErrLater reports that the members cannot be changed now, and that nothing is wrong: the same may be possible a moment later.
var ErrLater = errors.New("the members cannot be changed yet")
