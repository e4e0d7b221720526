package fault

import "errors"

// Kind says what an error means for the user of the command.
type Kind int

// The kinds, and beside each the exit code that ExitCode returns for it.
const (
	Other              Kind = iota // 255: nothing more is known
	ThresholdsFailed               // 99: the run ended, a threshold was crossed
	SetupTimeout                   // 100
	TeardownTimeout                // 101
	GenericTimeout                 // 102
	StoppedByAPI                   // 103
	InvalidConfig                  // 104: options, scenarios or thresholds that make no sense
	Interrupted                    // 105: SIGINT or SIGTERM
	CannotStartRESTAPI             // 106
	ScriptException                // 107: the script threw where that ends the run
	ScriptAborted                  // 108: exec.test.abort()
	Panic                          // 109: a fault of throng itself
	MarkedAsFailed                 // 110: exec.test.fail()
)

var codes = [...]int{
	Other: 255, ThresholdsFailed: 99, SetupTimeout: 100, TeardownTimeout: 101, GenericTimeout: 102,
	StoppedByAPI: 103, InvalidConfig: 104, Interrupted: 105, CannotStartRESTAPI: 106,
	ScriptException: 107, ScriptAborted: 108, Panic: 109, MarkedAsFailed: 110,
}

// ExitCode is the process exit code that k6 uses for k.
func (k Kind) ExitCode() int {
	if k < 0 || int(k) >= len(codes) {
		return codes[Other]
	}
	return codes[k]
}

// Error is an error with a Kind and, where one is known, a hint: what would be right.
type Error struct {
	Kind Kind
	Hint string
	Err  error
}

// Error returns the message of the wrapped error; the hint is shown apart from it.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// New classes err as k. It returns nil for a nil err.
func New(k Kind, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Err: err}
}

// WithHint classes err as k and adds what would be right.
func WithHint(k Kind, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Err: err, Hint: hint}
}

// KindOf is the kind of the outermost classed error in err's chain, else Other.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Other
}

// HintOf is the first hint found in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
