package desk_test

import (
	"errors"

	"throng/internal/fault"
)

var errInterrupted = fault.New(fault.Interrupted, errors.New("test run was aborted because k6 received a 'interrupt' signal"))
