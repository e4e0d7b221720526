package bundle

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"unsafe"
)

// Mapping is the content of a file that the system reads page by page, when it is touched, and forgets when memory is short;
// all processes that map one file share what is in memory of it. Where a system cannot do that the content is simply read.
// The file must not be changed. What has been handed out of a Mapping is never given back.
type Mapping struct {
	Data []byte // must not be written to
	file *os.File
}

// Map returns the content of the file.
func Map(name string) (*Mapping, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		_ = f.Close() // it was only looked at
		return nil, err
	}
	if data, err := mapped(f, 0, info.Size(), false); err == nil {
		return &Mapping{data, f}, nil
	}
	_ = f.Close()
	data, err := os.ReadFile(name)
	return &Mapping{Data: data}, err
}

// close gives back what nobody has got hold of.
func (m *Mapping) close() {
	if m.file != nil {
		unmapped(m.Data)
		_ = m.file.Close() // it was only read
	}
}

// large is from which size on copies are made by the system.
const large = 1 << 20

// Own returns a copy of part, which is a part of Data, that may be written to. Of a large one it takes memory only for the pages
// that are written to.
func (m *Mapping) Own(part []byte) []byte {
	if m.file == nil || len(part) < large {
		return bytes.Clone(part)
	}
	at := int64(uintptr(unsafe.Pointer(unsafe.SliceData(part))) - uintptr(unsafe.Pointer(unsafe.SliceData(m.Data))))
	if at < 0 || at+int64(len(part)) > int64(len(m.Data)) {
		return bytes.Clone(part)
	}
	skip := at % int64(os.Getpagesize())
	data, err := mapped(m.file, at-skip, int64(len(part))+skip, true)
	if err != nil {
		return bytes.Clone(part)
	}
	return slices.Clip(data[skip:])
}
