package etcdstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
)

// Snapshot writes the whole store as it is now, and a checksum of it, in etcd's own format.
func (s *Server) Snapshot(ctx context.Context, w io.Writer) error {
	r, err := s.inner.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	defer r.Close()
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	return nil
}

// Whole passes a snapshot on and checks it on its way: the error says that it is not whole. Its last bytes are the checksum of all
// others.
func Whole(w io.Writer, r io.Reader) error {
	c := &checked{w: w, sum: sha256.New()}
	if _, err := io.Copy(c, r); err != nil {
		return err
	}
	if len(c.last) != sha256.Size || string(c.sum.Sum(nil)) != string(c.last) {
		return errNotWhole
	}
	return nil
}

var errNotWhole = errors.New("the snapshot is not whole: its checksum does not fit")

// checked writes everything, and sums everything but what may be the checksum.
type checked struct {
	w    io.Writer
	sum  hash.Hash
	last []byte
}

func (c *checked) Write(b []byte) (int, error) {
	c.last = append(c.last, b...)
	if extra := len(c.last) - sha256.Size; extra > 0 {
		c.sum.Write(c.last[:extra])
		c.last = append(c.last[:0], c.last[extra:]...)
	}
	return c.w.Write(b)
}

// Restore makes the directory of a member that is alone with what a snapshot holds. Token tells its store from all others, the one
// that the snapshot was taken of included.
func Restore(c Config, file, token string) error {
	if _, err := os.Stat(c.Dir); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is a member in %s already", c.Dir)
	}
	book := newLogbook(c.Log)
	defer book.close()
	err := book.guarded(func() error {
		return snapshot.NewV3(book.logger()).Restore(snapshot.RestoreConfig{
			SnapshotPath: file, Name: c.Name, OutputDataDir: c.Dir, PeerURLs: []string{c.PeerURL},
			InitialCluster: c.Name + "=" + c.PeerURL, InitialClusterToken: token,
		})
	})
	if err == nil {
		err = os.Chmod(c.Dir, 0o700)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("restore %s: %w", file, err), os.RemoveAll(c.Dir))
	}
	return nil
}
