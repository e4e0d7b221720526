//go:build !unix

package bundle

import (
	"errors"
	"os"
)

func mapped(*os.File, int64, int64, bool) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapped([]byte) {}
