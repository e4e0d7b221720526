package etcdstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxSocket is the longest path of a unix socket that every system takes, in bytes: 104 with the final zero on some.
const maxSocket = 100

func isSocket(endpoint string) bool { return strings.HasPrefix(endpoint, "unix:") }

// socketPath says where the socket of a member in dir is: in dir, or, where that path is too long, in a directory for temporary
// files whose name follows from dir, so that a member that starts again leaves nothing behind.
func socketPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the member's directory: %w", err)
	}
	if p := filepath.Join(abs, "client.sock"); len(p) <= maxSocket {
		return p, nil
	}
	sum := sha256.Sum256([]byte(abs))
	short := filepath.Join(os.TempDir(), "throng-"+hex.EncodeToString(sum[:8]))
	if err := os.Mkdir(short, 0o700); err != nil && !os.IsExist(err) {
		return "", fmt.Errorf("make a directory for the socket: %w", err)
	}
	if err := onlyOurs(short); err != nil {
		return "", err
	}
	p := filepath.Join(short, "client.sock")
	if len(p) > maxSocket {
		return "", fmt.Errorf("the path of a socket may have %d bytes, and %s has %d: choose a shorter data directory", maxSocket, p, len(p))
	}
	return p, nil
}

// onlyOurs refuses a directory that somebody else has put there, or can look into.
func onlyOurs(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory that we alone can use: remove it", dir)
	}
	return os.Chmod(dir, 0o700) // which only its owner can
}
