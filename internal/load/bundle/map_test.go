package bundle

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestOpenedIsRead(t *testing.T) {
	b := sample()
	b.Files["file:///srv/large.bin"] = bytes.Repeat([]byte("0123456789"), 500_000)
	dir := t.TempDir()
	name, digest, size, err := b.WriteFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	data := write(t, b)
	if want, _ := b.Digest(); digest != want || size != int64(len(data)) {
		t.Errorf("digest %s, want %s; size %d, want %d", digest, want, size, len(data))
	}
	want, err := Read(bytes.NewReader(data), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(name, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	own := got.Own
	if got.Own = nil; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	large := got.Files["file:///srv/large.bin"]
	first, second := own(large), own(large)
	if !bytes.Equal(first, large) || len(first) != cap(first) {
		t.Fatal("a copy is no copy")
	}
	first[1234567], first[0] = 'x', 'y'
	if !bytes.Equal(second, large) || !bytes.Equal(large, b.Files["file:///srv/large.bin"]) {
		t.Error("what one wrote another sees")
	}
	if small := own(got.Files["file:///srv/x.bin"]); !bytes.Equal(small, []byte{0, 1, 255}) {
		t.Errorf("a small copy: %v", small)
	}
	if after, err := os.ReadFile(name); err != nil || !bytes.Equal(after, data) {
		t.Errorf("the file was written to: %v", err)
	}
}

func TestOpenRefusesWhatReadRefuses(t *testing.T) {
	for name, entries := range map[string][]tar.Header{
		"leaves":  {{Name: "../x", Typeflag: tar.TypeReg}},
		"nothing": {},
		"device":  {{Name: "file/x", Typeflag: tar.TypeChar}},
	} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for i := range entries {
			if err := w.WriteHeader(&entries[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(at, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(at, Limits{}); err == nil {
			t.Errorf("%s: it was opened", name)
		}
	}
	whole := write(t, sample())
	for _, n := range []int{0, 100, 512, 700, len(whole) / 2} {
		at := filepath.Join(t.TempDir(), "torn")
		if err := os.WriteFile(at, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(at, Limits{}); err == nil {
			t.Errorf("the first %d bytes were opened", n)
		}
	}
	if _, err := Open(t.TempDir(), Limits{}); err == nil {
		t.Error("a folder was opened")
	}
}

func FuzzParseIsRead(f *testing.F) {
	f.Add(write(f, sample()))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, perr := parse(data, Limits{})
		read, rerr := Read(bytes.NewReader(data), Limits{Bytes: int64(len(data))})
		if (perr == nil) != (rerr == nil) {
			t.Fatalf("parsed: %v; read: %v", perr, rerr)
		}
		if !reflect.DeepEqual(parsed, read) {
			t.Errorf("%+v\nwant\n%+v", parsed, read)
		}
	})
}
