//go:build !unix && !zos

package httpc

// awaiter is for systems on which one can wait for a socket without reading from it.
type awaiter struct{}

func (w *wire) canAwait() bool { return false }

func (w *wire) await() (*buffer, error) { panic("canAwait has said no") }

func (w *wire) send([]byte) (int, error) { panic("canAwait has said no") }
