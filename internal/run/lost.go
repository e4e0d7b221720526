package run

import "errors"

// ErrLost is what a call of a Runner ends with when the process in which it lives, or the host of it, is gone and has stopped its
// virtual users: its share can be given to another.
var ErrLost = errors.New("the runner is lost")
