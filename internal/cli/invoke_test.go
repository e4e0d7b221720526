package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/desk"
	"throng/internal/grid/trust"
	"throng/internal/node"
)

// invoke runs one invocation on a grid that answers so, and returns what it wrote.
func invoke(t *testing.T, answer func(*http.Request) any, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	grid := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer(r))
	}))
	defer grid.Close()
	var files [2]*os.File
	for i := range files {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	code = Main(append(args, "--grid", grid.URL), Env{
		Stdin: strings.NewReader(""), Stdout: files[0], Stderr: files[1], Lookup: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil },
	})
	var texts [2]string
	for i, f := range files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return code, texts[0], texts[1]
}

// TestTheLogsThatWereAskedForGoToStandardOutput: so that they can be searched, counted and kept.
func TestTheLogsThatWereAskedForGoToStandardOutput(t *testing.T) {
	t.Parallel()
	answer := func(r *http.Request) any {
		if strings.HasSuffix(r.URL.Path, "/result") {
			return desk.Result{Lines: []desk.Event{{Node: "h1", Line: &beat.Line{Text: "hello", Console: true}}}}
		}
		return cluster.Run{ID: "r", State: cluster.Finished}
	}
	const line = `msg=hello node=h1`
	if code, out, errs := invoke(t, answer, "logs", "r"); code != 0 || !strings.Contains(out, line) || errs != "" {
		t.Errorf("exit %d; standard output: %q, standard error: %q", code, out, errs)
	}
	if code, out, errs := invoke(t, answer, "logs", "r", "--log-output", "stderr"); code != 0 || out != "" || !strings.Contains(errs, line) {
		t.Errorf("where --log-output says: exit %d; standard output: %q, standard error: %q", code, out, errs)
	}
}

// TestATokenThatCannotBeWrittenIsRevoked: it is told once, and nobody has it.
func TestATokenThatCannotBeWrittenIsRevoked(t *testing.T) {
	t.Parallel()
	authority, err := trust.NewAuthority("grid", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := trust.NewToken(trust.Viewer, authority.Pin(), time.Now(), time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	var deleted []string
	answer := func(r *http.Request) any {
		if r.Method == http.MethodDelete {
			deleted = append(deleted, r.URL.Path)
			return struct{}{}
		}
		return node.TokenAnswer{Token: token.Reveal()}
	}
	code, _, errs := invoke(t, answer, "grid", "token", "create", "--out", filepath.Join(t.TempDir(), "missing", "token"))
	if code == 0 || len(deleted) != 1 || deleted[0] != node.TokensPath+"/"+token.ID || !strings.Contains(errs, "write the token file") {
		t.Errorf("exit %d, deleted %q: %s", code, deleted, errs)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, want string }{
		{"grid size", "throng grid size needs a number of voters"}, {"grid drain", "throng grid drain needs the name of a node"},
		{"grid drain a b", "throng grid drain needs the name of a node"}, {"grid token revoke", "throng grid token revoke needs the id of a token"},
		{"grid snapshot save", "throng grid snapshot save needs the name of a file"}, {"attach", "throng attach needs the id of one run"},
	} {
		code, _, errs := invoke(t, func(*http.Request) any { return struct{}{} }, strings.Fields(tt.args)...)
		if code == 0 || !strings.Contains(errs, tt.want) {
			t.Errorf("throng %s: exit %d: %s", tt.args, code, errs)
		}
	}
}
