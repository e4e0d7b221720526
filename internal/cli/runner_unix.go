//go:build unix

package cli

import (
	"errors"
	"io"
	"os"
	"syscall"

	"throng/internal/run/pipe"
)

// nodeStream makes a stream of standard input and output for which no thread waits, and which can be told to stop waiting: see
// package pipe for why that matters in a busy process. Beats come by a file of their own, unless its number is below 0.
func nodeStream(in io.Reader, out *os.File, beats int) io.ReadWriteCloser {
	file, ok := in.(*os.File)
	if !ok {
		return stream{in, out}
	}
	f := files{polled(file), polled(out)}
	if beats < 0 || syscall.SetNonblock(beats, true) != nil {
		return f
	}
	return leased{f, beats}
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
func (f files) Close() error                { return errors.Join(f.File.Close(), f.out.Close()) }

// leased is a stream beside which beats come.
type leased struct {
	files
	beats int
}

// Until implements pipe.Leased.
func (l leased) Until() (wall int64, closed bool) {
	var b [512]byte
	for {
		n, err := syscall.Read(l.beats, b[:])
		switch {
		case err == syscall.EINTR:
		case n > 0:
			wall = max(wall, pipe.LastBeat(b[:n]))
		default:
			return wall, n == 0 && err == nil
		}
	}
}
