package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhatConstraintsTakeAwayIsFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":             "module house\n\ngo 1.26\n",
		"main.go":            "package main\n\nimport (\n\t_ \"house/none\"\n\t\"house/half\"\n\t\"house/whole\"\n)\n\nfunc main() { half.Do(); whole.Do(); half.Only() }\n",
		"none/none_linux.go": "package none\n",
		"half/half.go":       "package half\n\nfunc Do() { do() }\n",
		"half/half_unix.go":  "//go:build unix\n\npackage half\n\nfunc do() {}\n\nfunc Only() {}\n",
		"whole/whole.go":     "package whole\n\nimport \"syscall\"\n\nfunc Do() { do(); syscall.OnlyOnZOS() }\n",
		"whole/do_unix.go":   "//go:build unix || zos\n\npackage whole\n\nfunc do() {}\n",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := lint(dir, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"house/half: undefined: do",
		"house/none: no file to build",
		"house: could not import house/none (house/none is not built on this host)",
		"house: undefined: half.Only",
	}
	if !slices.Equal(found, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
}

func TestCompareFailsOnNewsOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known.txt")
	if err := os.WriteFile(file, []byte("# a comment\n\na: undefined: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := compare(&out, []string{"a: undefined: b"}, file); err != nil {
		t.Errorf("nothing new: %v\n%s", err, &out)
	}
	if err := compare(&out, []string{"a: undefined: b", "c: no file to build"}, file); err == nil {
		t.Error("a new finding passed")
	}
	if err := compare(&out, nil, file); err == nil {
		t.Error("a line for what is no longer there passed")
	}
}
