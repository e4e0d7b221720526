package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestK6RunsOurArchivesAndWeRunK6s needs the real k6, and is skipped where there is none.
func TestK6RunsOurArchivesAndWeRunK6s(t *testing.T) {
	k6, err := exec.LookPath("k6")
	if err != nil {
		t.Skip("k6 is not installed")
	}
	dir := tree(t, map[string]string{
		"s.js":     "import {a} from './lib/a.js'; const d = open('d.txt'); export const options = {iterations: 1}; export default () => console.log(a + d)",
		"lib/a.js": "export const a = open('../d.txt')", "d.txt": "D",
	})
	s, err := Read("s.js", nil, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, logs := runCase(t, dir, "s.js", false); logs != "" {
		t.Fatal(logs)
	}
	for _, name := range []string{"lib/a.js", "d.txt"} {
		if _, err := s.Files.Open(s.Source.URL, name); err != nil {
			t.Fatal(err)
		}
	}
	ours, err := os.Create(filepath.Join(t.TempDir(), "ours.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Pack([]byte(`{"iterations":1}`), nil, "extended", "1.8.1").Write(ours); err != nil {
		t.Fatal(err)
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(k6, "run", "--quiet", "--no-usage-report", ours.Name()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "msg=DD") {
		t.Errorf("k6 says %v\n%s", err, out)
	}

	theirs := filepath.Join(t.TempDir(), "theirs.tar")
	cmd := exec.Command(k6, "archive", "-O", theirs, "s.js")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if console, _, logs := runCase(t, filepath.Dir(theirs), "theirs.tar", false); strings.Join(console, "") != "DD" {
		t.Errorf("we say %q\n%s", console, logs)
	}
}
