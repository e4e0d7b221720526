package webcrypto

import (
	"errors"
	"fmt"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// failure is an error with the name that the standard prescribes for it, such as DataError.
type failure struct{ name, message string }

func (f *failure) Error() string { return f.name + ": " + f.message }

func fail(name, format string, args ...any) error {
	return &failure{name, fmt.Sprintf(format, args...)}
}

func notSupported(format string, args ...any) error {
	return fail("NotSupportedError", format, args...)
}

func operation(format string, args ...any) error { return fail("OperationError", format, args...) }

func badData(format string, args ...any) error { return fail("DataError", format, args...) }

func invalidAccess(format string, args ...any) error {
	return fail("InvalidAccessError", format, args...)
}

func syntax(format string, args ...any) error { return fail("SyntaxError", format, args...) }

func wrongType(format string, args ...any) error { return fail("TypeError", format, args...) }

// errorValue makes the JavaScript value of err. There is no DOMException here: an Error with another name has to do, and
// a script that looks at name, message or the text of it sees no difference.
func errorValue(vu *scope.VU, err error) sobek.Value {
	var ex *sobek.Exception
	if errors.As(err, &ex) {
		return ex.Value() // thrown by a getter of the script's own
	}
	var f *failure
	if !errors.As(err, &f) {
		return vu.Runtime.NewGoError(err)
	}
	if f.name == "TypeError" {
		return vu.Error("TypeError", f.message)
	}
	o := vu.Error("Error", f.message)
	// A new object refuses nothing.
	_ = o.DefineDataProperty("name", vu.Runtime.ToValue(f.name), sobek.FLAG_TRUE, sobek.FLAG_TRUE, sobek.FLAG_FALSE)
	return o
}
