package webcrypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/big"

	"github.com/grafana/sobek"
)

func (a *API) crypt(call sobek.FunctionCall, op string) (any, error) {
	p, k, err := a.keyFor(call, op)
	if err != nil {
		return nil, err
	}
	data, err := bytesOf(call.Argument(2), "data")
	if err != nil {
		return nil, err
	}
	return crypt(p, k, data, op == "decrypt")
}

// crypt encrypts data, or decrypts it if open is set.
func crypt(p params, k *key, data []byte, open bool) (any, error) {
	if p.name == "RSA-OAEP" {
		return cryptOAEP(p, k, data, open)
	}
	secret, _ := k.material.([]byte)
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, operation("%s: %v", p.name, err)
	}
	switch p.name {
	case "AES-CBC":
		return cryptCBC(p, block, data, open)
	case "AES-CTR":
		return cryptCTR(p, block, data)
	case "AES-GCM":
		return cryptGCM(p, block, data, open)
	}
	return cryptKW(block, data, open)
}

// sixteen is a member of 16 bytes. Its absence is an error of the same name as a wrong length, as in k6.
func (p params) sixteen(member string) ([]byte, error) {
	b, err := p.bytes(member)
	if err != nil || len(b) != aes.BlockSize {
		return nil, operation("%s: %s must be 16 bytes", p.name, member)
	}
	return b, nil
}

// cryptCBC pads as in PKCS #7 (RFC 5652 section 6.3).
func cryptCBC(p params, block cipher.Block, data []byte, open bool) (any, error) {
	iv, err := p.sixteen("iv")
	if err != nil {
		return nil, err
	}
	if !open {
		pad := aes.BlockSize - len(data)%aes.BlockSize
		out := make([]byte, len(data)+pad)
		for i := copy(out, data); i < len(out); i++ {
			out[i] = byte(pad)
		}
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
		return out, nil
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, operation("AES-CBC: %d bytes are not a whole number of blocks", len(data))
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, operation("AES-CBC: the padding is wrong")
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, operation("AES-CBC: the padding is wrong")
		}
	}
	return out[:len(out)-pad], nil
}

// cryptCTR counts in the last length bits of the counter alone: what would carry over wraps around.
func cryptCTR(p params, block cipher.Block, data []byte) (any, error) {
	counter, err := p.sixteen("counter")
	if err != nil {
		return nil, err
	}
	bits, err := p.number("length")
	if err != nil {
		return nil, err
	}
	if bits < 1 || bits > 128 {
		return nil, operation("AES-CTR: length must be from 1 to 128 bits")
	}
	all := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	start := new(big.Int).Mod(new(big.Int).SetBytes(counter), all)
	blocks := big.NewInt(int64((len(data) + aes.BlockSize - 1) / aes.BlockSize))
	if blocks.Cmp(all) > 0 {
		return nil, operation("AES-CTR: %d bytes are more than a counter of %d bits can count", len(data), bits)
	}
	out, first := make([]byte, len(data)), len(data)
	if left := new(big.Int).Sub(all, start); blocks.Cmp(left) > 0 {
		first = int(left.Int64()) * aes.BlockSize // less than len(data)
	}
	cipher.NewCTR(block, counter).XORKeyStream(out[:first], data[:first])
	if first < len(data) {
		wrapped := new(big.Int).Sub(new(big.Int).SetBytes(counter), start).FillBytes(make([]byte, aes.BlockSize))
		cipher.NewCTR(block, wrapped).XORKeyStream(out[first:], data[first:])
	}
	return out, nil
}

// cryptGCM takes any initialization vector and all tags that the standard lists, which is more than k6 does.
func cryptGCM(p params, block cipher.Block, data []byte, open bool) (any, error) {
	iv, err := p.bytes("iv")
	if err != nil {
		return nil, err
	}
	if len(iv) == 0 {
		return nil, operation("AES-GCM: iv must not be empty")
	}
	extra, err := p.optional("additionalData")
	if err != nil {
		return nil, err
	}
	bits, err := p.number("tagLength")
	if err != nil {
		return nil, err
	}
	switch bits {
	case -1:
		bits = 128
	case 32, 64, 96, 104, 112, 120, 128:
	default:
		return nil, operation("AES-GCM: tagLength must be 32, 64, 96, 104, 112, 120 or 128 bits, not %d", bits)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		return nil, operation("AES-GCM: %v", err)
	}
	tag := bits / 8
	if !open {
		out := aead.Seal(nil, iv, data, extra)
		return out[:len(data)+tag], nil // a shorter tag is the beginning of the whole one
	}
	if len(data) < tag {
		return nil, operation("AES-GCM: %d bytes are less than the tag", len(data))
	}
	if tag == aead.Overhead() {
		out, err := aead.Open([]byte{}, iv, data, extra)
		if err != nil {
			return nil, operation("AES-GCM: %v", err)
		}
		return out, nil
	}
	// What is encrypted twice is plain again; its tag is then computed in full and compared in part.
	sealed := data[:len(data)-tag]
	plain := aead.Seal(nil, iv, sealed, nil)[:len(sealed)]
	again := aead.Seal(nil, iv, plain, extra)
	if subtle.ConstantTimeCompare(again[len(plain):len(plain)+tag], data[len(sealed):]) != 1 {
		return nil, operation("AES-GCM: message authentication failed")
	}
	return plain, nil
}

// cryptKW wraps key material (RFC 3394), or unwraps it if open is set.
func cryptKW(block cipher.Block, data []byte, open bool) (any, error) {
	const iv = 0xA6A6A6A6A6A6A6A6
	if least := 16; len(data)%8 != 0 || len(data) < least || open && len(data) < least+8 {
		return nil, operation("AES-KW: %d bytes cannot be wrapped or unwrapped: a multiple of 8 is, from 16 on", len(data))
	}
	var b [16]byte
	if !open {
		n := len(data) / 8
		out := append(make([]byte, 8), data...)
		check := uint64(iv)
		for t := range uint64(6 * n) {
			at := out[8*(t%uint64(n)+1):][:8]
			binary.BigEndian.PutUint64(b[:8], check)
			copy(b[8:], at)
			block.Encrypt(b[:], b[:])
			check = binary.BigEndian.Uint64(b[:8]) ^ (t + 1)
			copy(at, b[8:])
		}
		binary.BigEndian.PutUint64(out, check)
		return out, nil
	}
	n := len(data)/8 - 1
	check := binary.BigEndian.Uint64(data)
	out := append([]byte(nil), data[8:]...)
	for t := uint64(6 * n); t > 0; t-- {
		at := out[8*((t-1)%uint64(n)):][:8]
		binary.BigEndian.PutUint64(b[:8], check^t)
		copy(b[8:], at)
		block.Decrypt(b[:], b[:])
		check = binary.BigEndian.Uint64(b[:8])
		copy(at, b[8:])
	}
	if check != iv {
		return nil, operation("AES-KW: the wrapped key does not belong to this one")
	}
	return out, nil
}
