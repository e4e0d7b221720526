package summary_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throng/internal/view/summary"
)

func TestSaveTriesEverythingAndNamesWhatBroke(t *testing.T) {
	dir := t.TempDir()
	create := func(path string) (io.WriteCloser, error) { return os.Create(filepath.Join(dir, path)) }
	var stdout, stderr strings.Builder
	err := summary.Save(map[string][]byte{"stdout": []byte("out"), "stderr": []byte("err"), "no/a.txt": nil, "b.txt": []byte("b"), "empty": {}}, &stdout, &stderr, create)
	if err == nil || !strings.HasPrefix(err.Error(), "Could not save some summary information:\n\t- could not open 'no/a.txt': open ") {
		t.Errorf("error %v", err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "b.txt"))
	empty, emptyErr := os.ReadFile(filepath.Join(dir, "empty"))
	if stdout.String() != "out" || stderr.String() != "err" || string(b) != "b" || len(empty) != 0 || emptyErr != nil {
		t.Errorf("stdout %q, stderr %q, b.txt %q, empty %q %v", &stdout, &stderr, b, empty, emptyErr)
	}
}
