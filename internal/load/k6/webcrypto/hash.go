package webcrypto

import (
	"crypto"
	"strings"

	// Linked in, so that crypto.Hash finds them.
	_ "crypto/sha1" //nolint:gosec // scripts ask for it
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// digester is one of the hashes by its name in the standard.
type digester struct {
	name string
	crypto.Hash
}

// hashOf returns the hash of that name in any case, or says that op cannot be done with it.
func hashOf(name, op string) (digester, error) {
	switch name = strings.ToUpper(name); name {
	case "SHA-1":
		return digester{name, crypto.SHA1}, nil
	case "SHA-256":
		return digester{name, crypto.SHA256}, nil
	case "SHA-384":
		return digester{name, crypto.SHA384}, nil
	case "SHA-512":
		return digester{name, crypto.SHA512}, nil
	}
	return digester{}, notSupported("%s: there is no hash %q; use SHA-1, SHA-256, SHA-384 or SHA-512", op, name)
}

func (d digester) sum(data []byte) []byte {
	h := d.New()
	h.Write(data)
	return h.Sum(nil)
}
