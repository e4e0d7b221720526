package js

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/grafana/sobek"

	"throng/internal/fault"
)

// Describe returns what k6 logs for err: for an exception its value and its stack, one frame a line, mapped to the
// source as it was written; for anything else its message.
func Describe(err error) string {
	var (
		ex *sobek.Exception
		in *sobek.InterruptedError
		so *sobek.StackOverflowError
		un *UncaughtError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &un):
		return un.Error()
	case errors.As(err, &in):
		return in.String()
	case errors.As(err, &so):
		return overflowText + "\n" + firstFrames(so)
	case errors.As(err, &ex):
		return safeString(ex)
	default:
		return err.Error()
	}
}

// Place is where the script was when it was interrupted: its stack, one frame a line. It is "" for any other error.
func Place(err error) string {
	var in *sobek.InterruptedError
	if !errors.As(err, &in) {
		return ""
	}
	_, stack, _ := strings.Cut(in.String(), "\n") // what it was interrupted with comes first
	return strings.TrimRight(stack, "\n")
}

// Where is the place in the script that is running: the innermost frame that belongs to a file, or "".
func Where(rt *sobek.Runtime) string {
	for _, frame := range rt.CaptureCallStack(0, nil) {
		if frame.SrcName() != "<native>" {
			var b bytes.Buffer
			frame.Write(&b)
			return b.String()
		}
	}
	return ""
}

// IsException says whether a script caused err by throwing or by recursing without end, as opposed to a fault of the
// machinery around it.
func IsException(err error) bool {
	var ex *sobek.Exception
	var so *sobek.StackOverflowError
	return errors.As(err, &so) || errors.As(err, &ex)
}

// overflowText is what other engines say of endless recursion.
const overflowText = "RangeError: Maximum call stack size exceeded"

// framesShown bounds the stack of an endless recursion: its frames are all alike.
const framesShown = 10

func firstFrames(so *sobek.StackOverflowError) string {
	lines := strings.SplitAfterN(so.String(), "\n", framesShown+1)
	if len(lines) > framesShown {
		lines = append(lines[:framesShown], "\t...\n")
	}
	return strings.Join(lines, "")
}

// safeString is ex.String() for a thrown object whose toString throws, too.
func safeString(ex *sobek.Exception) (s string) {
	defer func() {
		if recover() != nil {
			s = "an object that cannot be shown was thrown"
		}
	}()
	return ex.String()
}

// describeReason returns the reason of a rejected promise as k6 shows it: an Error with its stack, else its string.
func describeReason(rt *sobek.Runtime, v sobek.Value) (s string) {
	defer func() {
		if recover() != nil {
			s = "an object that cannot be shown"
		}
	}()
	o, ok := v.(*sobek.Object)
	if !ok {
		return v.String()
	}
	if ex, ok := o.Export().(*sobek.Exception); ok {
		return ex.String()
	}
	if stack := o.Get("stack"); stack != nil && !sobek.IsUndefined(stack) {
		return stack.String()
	}
	return o.String()
}

// throw makes err an exception of the running script. It must be called from Go code that a script called.
func throw(rt *sobek.Runtime, err error) {
	var ex *sobek.Exception
	var in *sobek.InterruptedError
	var so *sobek.StackOverflowError
	switch {
	case errors.As(err, &in), errors.As(err, &so):
		panic(err)
	case errors.As(err, &ex):
		panic(ex)
	default:
		panic(rt.NewGoError(err))
	}
}

// guard turns a panic of the engine into an error.
func guard(err *error) {
	if x := recover(); x != nil {
		*err = panicError(x)
	}
}

// panicError makes an error of what the engine panicked with. Its own reports (an interrupt, an exception), which come as
// a panic when no script was on the stack, keep what they are.
func panicError(x any) error {
	err, ok := x.(error)
	if !ok {
		return fault.New(fault.Panic, fmt.Errorf("the JavaScript engine failed: %v", x))
	}
	var (
		ex *sobek.Exception
		in *sobek.InterruptedError
		so *sobek.StackOverflowError
	)
	if errors.As(err, &in) || errors.As(err, &so) || errors.As(err, &ex) {
		return err
	}
	return fault.New(fault.Panic, fmt.Errorf("the JavaScript engine failed: %w", err))
}
