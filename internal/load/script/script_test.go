package script

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/sobek"

	"throng/internal/load/bundle"
	"throng/internal/load/js"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func isNative(name string) bool { return name == "k6" || name == "k6/http" }

// play runs the top-level code of s and its default function, and returns what they logged.
func play(t *testing.T, s *Script) (string, error) {
	t.Helper()
	p, err := s.Compile(js.CompileOptions{IsNative: isNative})
	if err != nil {
		return "", err
	}
	return playProgram(t, s, p)
}

func playProgram(t *testing.T, s *Script, p *js.Program) (string, error) {
	t.Helper()
	var out []string
	rt := js.NewRuntime()
	loop := js.NewLoop(rt)
	var in *js.Instance
	_ = rt.Set("log", func(call sobek.FunctionCall) sobek.Value {
		out = append(out, call.Argument(0).String())
		return nil
	})
	_ = rt.Set("open", func(name string) (string, error) { return s.Files.OpenText(in.CallerURL(), name) })
	in, err := p.Instantiate(context.Background(), rt, loop, js.Host{
		IsNative: isNative,
		Native: func(string) (js.Exports, error) {
			return js.Exports{Named: map[string]any{"check": func() bool { return true }}}, nil
		},
		Started: func(i *js.Instance) { in = i },
	})
	if err != nil {
		return "", err
	}
	if f, ok := sobek.AssertFunction(in.Export("default")); ok {
		err = loop.Call(f)
	}
	return strings.Join(out, "|"), err
}

func TestPathsAreRelativeToTheFileThatNamesThem(t *testing.T) {
	dir := tree(t, map[string]string{
		"s.js":     "import {a} from './lib/deep/../a.js'; import sp from './with space.js';\nlog(a); log(sp); log(open('data.txt')); log(open('./lib/data.txt')); log(import.meta.resolve('./x').endsWith('/x'))",
		"lib/a.js": "export const a = open('data.txt') + open('../data.txt')", "lib/data.txt": "inner", "data.txt": "outer", "with space.js": "export default 1 + 1",
	})
	for _, arg := range []string{"s.js", "./s.js", "lib/../s.js", filepath.Join(dir, "s.js"), "file://" + slashed(dir) + "/s.js"} {
		s, err := Read(arg, nil, Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		got, err := play(t, s)
		if err != nil || got != "innerouter|2|outer|inner|true" {
			t.Errorf("%s: %q %v", arg, got, err)
		}
	}
}

func TestStandardInputMayBeTypeScriptAndImportsFromHere(t *testing.T) {
	dir := tree(t, map[string]string{"lib/a.ts": "export const a: number = 4"})
	s, err := Read("-", strings.NewReader("import {a} from './lib/a.ts'; enum E {X = 1}; log(a + E.X)"), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := play(t, s); got != "5" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if s.Source.URL.String() != "file:///-" {
		t.Errorf("its URL is %s", s.Source.URL)
	}
}

func TestErrorsSayWhatK6Says(t *testing.T) {
	dir := tree(t, map[string]string{
		"absent.js": "import './lib/absent.js'", "bare.js": "import 'lodash'", "http.js": "import 'http://x/y.js'", "nope.js": "import 'k6/nope'",
		"remote.js": "import 'https://x.test/y.js'", "open0.js": "open('')", "open1.js": "open('gone.txt')", "open2.js": "open('.')", "dir/x": "",
	})
	for arg, want := range map[string]string{
		"no-such-script.js": `The moduleSpecifier "no-such-script.js" couldn't be found on local disk`,
		"absent.js":         `The moduleSpecifier "./lib/absent.js" couldn't be found on local disk`,
		"bare.js":           `The moduleSpecifier "lodash" couldn't be recognised as something k6 supports.`,
		"http.js":           "only supported schemes for imports are file and https, http://x/y.js has `http`",
		"http://x/y.js":     "only supported schemes for imports are file and https, http://x/y.js has `http`",
		"nope.js":           `unknown modules ["k6/nope"]`, "remote.js": "https://x.test/y.js is a remote module, and remote modules are switched off",
		"open0.js": "open() can't be used with an empty filename", "open1.js": "gone.txt: no such file or directory",
		"open2.js": "open() can't be used with directories, path:", "dir": "is a directory",
	} {
		s, err := Read(arg, nil, Options{Dir: dir, NoRemote: true})
		if err == nil {
			_, err = play(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", arg, err, want)
		}
	}
}

func TestAfterSealOnlyKnownFilesOpen(t *testing.T) {
	dir := tree(t, map[string]string{"s.js": "", "a.txt": "a", "b.txt": "b"})
	s, err := Read("s.js", nil, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Files.Open(s.Source.URL, "a.txt"); err != nil {
		t.Fatal(err)
	}
	s.Files.Seal()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Files.Open(s.Source.URL, "./a.txt"); err != nil || string(data) != "a" {
		t.Errorf("%q %v", data, err)
	}
	if _, err := s.Files.Open(s.Source.URL, "b.txt"); err == nil || !strings.Contains(err.Error(), "weren't previously opened during initialization (__VU==0)") {
		t.Errorf("got %v", err)
	}
}

func TestAnArchiveRunsAlone(t *testing.T) {
	dir := tree(t, map[string]string{"s.js": "import {a} from './lib/a.js'; log(a + open('d.txt'))", "lib/a.js": "export const a = open('../d.txt')", "d.txt": "D"})
	s, err := Read("s.js", nil, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := play(t, s); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := s.Pack([]byte(`{"vus":2}`), map[string]string{"A": "1"}, "extended", "2.2.0").Write(&packed); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"-", "x.tar"} {
		empty := t.TempDir()
		if err := os.WriteFile(filepath.Join(empty, "x.tar"), packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Read(from, bytes.NewReader(packed.Bytes()), Options{Dir: empty})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := play(t, s); got != "DD" || err != nil {
			t.Errorf("%s: %q %v", from, got, err)
		}
		if s.Bundle == nil || !strings.Contains(string(s.Bundle.Options), `"vus"`) || s.Bundle.Env["A"] != "1" {
			t.Errorf("%s: bundle %+v", from, s.Bundle)
		}
		if _, err := s.Files.Open(s.Source.URL, "/etc/hostname"); err == nil {
			t.Error("a file outside of the archive was opened")
		}
	}
}

func TestHomesInArchivesAreFoundByTheirName(t *testing.T) {
	u := func(s string) *url.URL { return &url.URL{Scheme: "file", Path: s} }
	b := &bundle.Bundle{Filename: u("/home/nobody/s.js"), Pwd: u("/home/nobody"), Script: []byte("log(open('/home/ann/d.txt'))"), Files: map[string][]byte{"file:///home/nobody/d.txt": []byte("D")}}
	if got, err := play(t, Unpack(b, Options{})); got != "D" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestRemoteModules(t *testing.T) {
	var asked []string
	up := true
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		switch {
		case !up:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/lib/a.js":
			_, _ = w.Write([]byte("import {b} from './b.js'; export const a = b + 1"))
		case r.URL.Path == "/lib/b.js" && !r.URL.Query().Has("_k6"):
			_, _ = w.Write([]byte("export const b = 1"))
		case r.URL.Path == "/evil.js":
			_, _ = w.Write([]byte("import 'file:///etc/hostname'"))
		case r.URL.Path == "/plain.js":
			http.Redirect(w, r, "http://"+r.Host+"/lib/b.js", http.StatusFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer srv.Close()
	cache := t.TempDir()
	load := func(path string) (string, error) {
		o := Options{Dir: t.TempDir(), Client: srv.Client(), CacheDir: cache}
		s, err := Read("-", strings.NewReader("import {a} from '"+srv.URL+path+"'; log(a)"), o)
		if err != nil {
			t.Fatal(err)
		}
		return play(t, s)
	}
	if got, err := load("/lib/a.js"); got != "2" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if got := strings.Join(asked, " "); got != "/lib/a.js?_k6=1 /lib/b.js?_k6=1 /lib/b.js" {
		t.Errorf("asked for %s", got)
	}
	if _, err := load("/evil.js"); err == nil || !strings.Contains(err.Error(), "not allowed to load local file: file:///etc/hostname") {
		t.Errorf("got %v", err)
	}
	if _, err := load("/plain.js"); err == nil || !strings.Contains(err.Error(), "which is not https") {
		t.Errorf("got %v", err)
	}
	if _, err := load("/gone.js"); err == nil || !strings.Contains(err.Error(), `gone.js" couldn't be retrieved from the resolved url`) {
		t.Errorf("got %v", err)
	}
	up = false
	if got, err := load("/lib/a.js"); got != "2" || err != nil {
		t.Errorf("with the server away: %q %v", got, err)
	}
}

func TestMappedIsRead(t *testing.T) {
	dir := t.TempDir()
	large := bytes.Repeat([]byte("0123456789"), 200_000)
	for name, data := range map[string][]byte{"s.js": []byte("export default function () {}"), "large.bin": large, "small.txt": []byte("é")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(s *Script) {
		t.Helper()
		for range 2 { // what one caller writes the next does not see
			b, err := s.Files.Open(s.Source.URL, "large.bin")
			if err != nil || !bytes.Equal(b, large) {
				t.Fatalf("%d bytes, %v", len(b), err)
			}
			b[5] = 'x'
		}
		if text, err := s.Files.OpenText(s.Source.URL, "small.txt"); err != nil || text != "é" {
			t.Errorf("%q, %v", text, err)
		}
	}
	s, err := Read("s.js", nil, Options{Dir: dir, Map: true})
	if err != nil {
		t.Fatal(err)
	}
	look(s)
	name, digest, _, err := s.Pack(nil, nil, "", "v1").WriteFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(filepath.Base(name), nil, Options{Dir: dir, Map: true})
	if err != nil || again.Bundle == nil || again.Bundle.Own == nil {
		t.Fatalf("%+v, %v", again, err)
	}
	look(again)
	whole, err := Read(filepath.Base(name), nil, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	look(whole)
	if d, err := again.Bundle.Digest(); err != nil || d != digest {
		t.Errorf("packed again it is another test: %s, %v", d, err)
	}
	if _, err := Read("nothing.tar", nil, Options{Dir: dir, Map: true}); err == nil {
		t.Error("a file that is not there was read")
	}
}
