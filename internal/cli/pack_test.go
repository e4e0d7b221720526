package cli

import (
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"throng/internal/load/bundle"
	"throng/internal/plan"
)

// packed is the bundle for a grid of the script in dir, packed by a process with this environment and these flags.
func packed(t *testing.T, dir, script string, environ map[string]string, flags ...string) *bundle.Bundle {
	t.Helper()
	g := &global{log: slog.New(slog.DiscardHandler), Env: Env{
		Stdin: strings.NewReader(""), Stdout: os.Stdout, Stderr: os.Stderr,
		Lookup: func(name string) (string, bool) { v, ok := environ[name]; return v, ok },
		Environ: func() (all []string) {
			for k, v := range environ {
				all = append(all, k+"="+v)
			}
			return all
		},
	}}
	c := &cobra.Command{}
	f := addTestFlags(c, true)
	if err := c.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	test, err := g.loadToPack(f, filepath.Join(dir, script))
	if err != nil {
		t.Fatal(err)
	}
	opts, s, err := test.inspect(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	name, err := test.packForGrid(opts)
	if err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(dir, "packed.tar") // a name that the next test can read
	if err := os.Rename(name, moved); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(moved, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAGridSeesOfTheEnvironmentWhatTheScriptNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"s.js": `import { base } from './lib.js';
			export const options = { vus: Number(__ENV.USERS), duration: '1s' };
			export default function () { return base + __ENV['TOKEN'] + __ENV.HOSTNAME + __ENV.UNSET; }`,
		"lib.js": `const { BASE = 'http://x' } = __ENV; export const base = BASE;`,
	})
	system := map[string]string{
		"USERS": "7", "TOKEN": "t", "BASE": "http://y", "HOSTNAME": "laptop", "AWS_SECRET_ACCESS_KEY": "not yours", "HOME": "/home/ann", "GIVEN": "no",
	}
	for _, tt := range []struct {
		name  string
		flags []string
		want  map[string]string
	}{
		{"what is named, and no more", nil, map[string]string{"USERS": "7", "TOKEN": "t", "BASE": "http://y"}},
		{"and what -e sets, which counts more", []string{"-e", "TOKEN=u", "-e", "GIVEN=yes", "-e", "HOSTNAME=one"},
			map[string]string{"USERS": "7", "TOKEN": "u", "BASE": "http://y", "GIVEN": "yes", "HOSTNAME": "one"}},
		{"nothing of the system's, if a local run is not to see it", []string{"--include-system-env-vars=false", "-e", "USERS=2"}, map[string]string{"USERS": "2"}},
	} {
		b := packed(t, dir, "s.js", system, tt.flags...)
		if !maps.Equal(b.Env, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, b.Env, tt.want)
		}
		if opts, err := plan.Decode(b.Options); err != nil || opts.VUs.V != 7 && tt.want["USERS"] == "7" {
			t.Errorf("%s: options %s, %v", tt.name, b.Options, err)
		}
	}
	// An archive brings its own; what is set now counts more.
	again := packed(t, dir, "packed.tar", map[string]string{"TOKEN": "v"}, "-e", "BASE=http://z")
	if want := map[string]string{"USERS": "2", "TOKEN": "v", "BASE": "http://z"}; !maps.Equal(again.Env, want) {
		t.Errorf("from an archive: %v, want %v", again.Env, want)
	}
}

func TestAGridGetsEveryOption(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"s.js":      `const data = open('./data.json'); export const options = { thresholds: { http_reqs: ['count>5'] } }; export default function () { data }`,
		"data.json": "[1]", "other.json": "[2]",
	})
	b := packed(t, dir, "s.js", nil, "--vus", "3", "--iterations", "9", "--local-ips", "127.0.0.2")
	opts, err := plan.Decode(b.Options)
	if err != nil || opts.VUs.V != 3 || opts.Iterations.V != 9 || opts.LocalIPs.V != "127.0.0.2" || len(opts.Thresholds) != 1 || opts.SummaryTrendStats == nil {
		t.Errorf("%+v, %v", opts, err)
	}
	var names []string
	for name := range b.Files {
		names = append(names, filepath.Base(name))
	}
	if !slices.Equal(names, []string{"data.json"}) {
		t.Errorf("files %q", names)
	}
}

func TestWhatIsReadFromStandardInputIsPackedToo(t *testing.T) {
	g := &global{log: slog.New(slog.DiscardHandler), Env: Env{
		Stdin: strings.NewReader(`export default function () {}`), Lookup: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil },
	}}
	c := &cobra.Command{}
	test, err := g.loadToPack(addTestFlags(c, true), "-")
	if err != nil {
		t.Fatal(err)
	}
	opts, s, err := test.inspect(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	name, err := test.packForGrid(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(name)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := bundle.Read(io.Reader(f), bundle.Limits{}); err != nil || string(b.Script) != `export default function () {}` {
		t.Errorf("%+v, %v", b, err)
	}
}
