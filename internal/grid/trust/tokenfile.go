package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"throng/internal/fault"
)

// WriteToken writes a token into a file for its owner alone; an older file is replaced as a whole.
func WriteToken(name string, t Token) error {
	if t.secret == nil {
		return errors.New("write a token: it has no secret")
	}
	if err := writeSecret(name, []byte(t.Reveal()+"\n")); err != nil {
		return fmt.Errorf("write the token file: %w", err)
	}
	return nil
}

// ReadToken reads a token from a file. The warning, if there is one, says that others may read the file: it is for the
// user, and no error, since mounted secrets are often made so. The error is os.ErrNotExist where there is no file.
func ReadToken(name string) (t Token, warning string, err error) {
	b, info, err := readBounded(name, maxToken)
	if errors.Is(err, os.ErrNotExist) {
		return Token{}, "", fault.New(fault.InvalidConfig, &refusal{"there is no token file " + name, os.ErrNotExist})
	}
	if err != nil {
		return Token{}, "", fault.New(fault.InvalidConfig, fmt.Errorf("read the token file: %w", err))
	}
	if t, err = ParseToken(string(b)); err != nil {
		return Token{}, "", fmt.Errorf("token file %s: %w", name, err)
	}
	if open(info) {
		warning = fmt.Sprintf("the token file %s can be read by others (mode %04o): chmod 600 %s", name, info.Mode().Perm(), name)
	}
	return t, warning, nil
}

// open reports whether others than its owner can read a file. Windows has no such mode, and a pipe no readers but ours.
func open(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0
}
