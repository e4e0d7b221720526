package run

import "errors"

// ErrLost is what a call of a Runner ends with when the process in which it lives, or the host of it, is gone and has stopped its
// virtual users: its share can be given to another.
var ErrLost = errors.New("the runner is lost")

// Lost returns an error in the words of why that is ErrLost too.
func Lost(why error) error { return &lost{why} }

type lost struct{ why error }

func (l *lost) Error() string   { return l.why.Error() }
func (l *lost) Unwrap() []error { return []error{ErrLost, l.why} }
