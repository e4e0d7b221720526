package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func at(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func sample() *Bundle {
	return &Bundle{
		Options: []byte(`{"thresholds":{"checks":["rate>0.9"]},"vus":3}`), Filename: at("file:///home/ann/p/s.js"), Pwd: at("file:///home/ann/p"),
		Env: map[string]string{"A": "1"}, CompatibilityMode: "extended", Version: "2.2.0", OS: "linux", Dependencies: map[string]string{"k6": "*"},
		Script: []byte("export default function () {}"),
		Files: map[string][]byte{
			"file:///home/ann/p/s.js": []byte("export default function () {}"), "file:///home/ann/p/with%20space.txt": {}, "file:///srv/x.bin": {0, 1, 255},
			"https://jslib.k6.io/u/1.0.0/index.js": []byte("x"), "https://h.test/a?b=c/d": []byte("y"),
		},
	}
}

func write(t testing.TB, b *Bundle) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWrittenTwiceIsTheSame(t *testing.T) {
	first := write(t, sample())
	b, err := Read(bytes.NewReader(first), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if second := write(t, b); !bytes.Equal(first, second) {
		t.Error("the second archive differs")
	}
	want := map[string][]byte{
		"file:///home/nobody/p/with%20space.txt": {}, "file:///srv/x.bin": {0, 1, 255},
		"https://jslib.k6.io/u/1.0.0/index.js": []byte("x"), "https://h.test/a?b=c/d": []byte("y"),
	}
	if !reflect.DeepEqual(b.Files, want) {
		t.Errorf("files %q", b.Files)
	}
	if b.Filename.String() != "file:///home/nobody/p/s.js" || b.Env["A"] != "1" || b.Pwd.String() != "file:///home/nobody/p" {
		t.Errorf("%+v", b)
	}
	d1, _ := sample().Digest()
	d2, _ := b.Digest()
	if d1 != d2 || len(d1) != 64 {
		t.Errorf("digests %s and %s", d1, d2)
	}
}

func TestLayoutIsK6s(t *testing.T) {
	var got []string
	r := tar.NewReader(bytes.NewReader(write(t, sample())))
	for {
		h, err := r.Next()
		if err != nil {
			break
		}
		got = append(got, string(h.Typeflag)+h.Name)
	}
	want := "0metadata.json 0data 5file 5file/home 5file/home/nobody 5file/home/nobody/p 1file/home/nobody/p/s.js 0file/home/nobody/p/with space.txt" +
		" 5file/srv 0file/srv/x.bin 5https 5https/h.test 0https/h.test/a?b=c%2Fd 5https/jslib.k6.io 5https/jslib.k6.io/u 5https/jslib.k6.io/u/1.0.0 0https/jslib.k6.io/u/1.0.0/index.js"
	if strings.Join(got, " ") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, " "), want)
	}
}

func TestPathsAreAnonymous(t *testing.T) {
	for in, want := range map[string]string{
		"/home/ann/x.js": "/home/nobody/x.js", "/Users/ann/x": "/Users/nobody/x", "/C:/Users/Ann B/x.js": "/C/Users/nobody/x.js",
		`C:\Users\ann\x`: "/C/Users/nobody/x", "/srv/home/ann": "/srv/home/ann", "/home": "/home", "/-": "/-",
	} {
		if got := anonymousPath(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func pack(headers ...tar.Header) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		body := h.Linkname
		if h.Typeflag == tar.TypeReg {
			h.Size, h.Linkname = int64(len(body)), ""
		}
		_ = w.WriteHeader(&h)
		if h.Typeflag == tar.TypeReg {
			_, _ = w.Write([]byte(body))
		}
	}
	_ = w.Close()
	return out.Bytes()
}

// file is a regular entry; its content travels in Linkname, which such entries do not use.
func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: content}
}

func TestOldLayoutsAreRead(t *testing.T) {
	for _, filename := range []string{`"/home/ann/s.js"`, `"file:///home/ann/s.js"`, `"file:///home\\ann\\s.js"`} {
		b, err := Read(bytes.NewReader(pack(
			file("metadata.json", `{"type":"js","filename":`+filename+`,"pwd":"/home/ann","options":{}}`), file("data", "1"),
			file("scripts/_/home/nobody/s.js", "1"), file("scripts/_/home/nobody/l.js", "2"), file("files/_/d.txt", "3"), file("scripts/cdn.test/x.js", "4"),
		)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]byte{"file:///home/nobody/l.js": []byte("2"), "file:///d.txt": []byte("3"), "https://cdn.test/x.js": []byte("4")}
		if !reflect.DeepEqual(b.Files, want) || b.Filename.Path != "/home/nobody/s.js" {
			t.Errorf("%s: %q %s", filename, b.Files, b.Filename)
		}
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	meta, data := file("metadata.json", `{"type":"js","filename":"/s.js","pwd":"/"}`), file("data", "1")
	for name, raw := range map[string][]byte{
		"climbing":    pack(meta, data, file("file/../../etc/passwd", "x")),
		"backslashes": pack(meta, data, file(`file\..\x`, "x")),
		"absolute":    pack(meta, data, file("/etc/passwd", "x")),
		"symlink":     pack(meta, data, tar.Header{Typeflag: tar.TypeSymlink, Name: "file/x", Linkname: "/etc/passwd"}),
		"hard link":   pack(meta, data, tar.Header{Typeflag: tar.TypeLink, Name: "file/x", Linkname: "metadata.json"}),
		"large":       pack(meta, data, file("file/x", strings.Repeat("x", 2000))),
		"many":        pack(meta, data, file("file/a", ""), file("file/b", ""), file("file/c", "")),
		"other type":  pack(file("metadata.json", `{"type":"go","filename":"/s","pwd":"/"}`), data),
		"no tar":      []byte("export default 1"),
		"cut":         write(t, sample())[:700],
	} {
		if b, err := Read(bytes.NewReader(raw), Limits{Bytes: 1500, Entries: 4}); err == nil {
			t.Errorf("%s: read as %+v", name, b)
		}
	}
	if _, err := Read(bytes.NewReader(pack(meta)), Limits{}); !errors.Is(err, ErrNoScript) {
		t.Errorf("without data: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(write(f, sample()))
	f.Add(pack(file("metadata.json", `{"type":"js","filename":"C:\\x","pwd":"/"}`), file("data", ""), file("https/h/../x?y", "z")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Read(bytes.NewReader(raw), Limits{Bytes: 1 << 16, Entries: 50})
		if err != nil {
			return
		}
		var first bytes.Buffer
		if err := b.Write(&first); err != nil {
			return // names that no tar can hold
		}
		again, err := Read(bytes.NewReader(first.Bytes()), Limits{})
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if second := write(t, again); !bytes.Equal(first.Bytes(), second) {
			t.Fatal("written twice, the archives differ")
		}
	})
}
