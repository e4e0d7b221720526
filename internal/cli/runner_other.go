//go:build !unix

package cli

import (
	"io"
	"os"
)

func nodeStream(in io.Reader, out *os.File, _ int) io.ReadWriteCloser { return stream{in, out} }
