//go:build unix

package cli

import (
	"io"
	"os"
	"syscall"
)

// nodeStream makes a stream of standard input and output for which no thread waits, and which can be told to stop waiting: see
// package pipe for why that matters in a busy process.
func nodeStream(in io.Reader, out *os.File) io.ReadWriteCloser {
	file, ok := in.(*os.File)
	if !ok {
		return stream{in, out}
	}
	return files{polled(file), polled(out)}
}

// polled returns f in non-blocking mode. The file stays open as long as the process lives.
func polled(f *os.File) *os.File {
	fd := f.Fd()
	if syscall.SetNonblock(int(fd), true) != nil {
		return f
	}
	return os.NewFile(fd, f.Name())
}

// files is one stream of two files.
type files struct {
	*os.File // the input
	out      *os.File
}

func (f files) Write(b []byte) (int, error) { return f.out.Write(b) }
func (f files) Close() error {
	err := f.File.Close()
	if cerr := f.out.Close(); err == nil {
		err = cerr
	}
	return err
}
