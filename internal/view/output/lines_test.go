package output_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/view/output"
)

// chunks keeps what is written apart.
type chunks [][]byte

func (c *chunks) Write(b []byte) (int, error) {
	*c = append(*c, bytes.Clone(b))
	return len(b), nil
}

// TestManyProcessesWriteOneFile formats the samples of two processes apart and has a third write them.
func TestManyProcessesWriteOneFile(t *testing.T) {
	defs := output.Definitions{SystemTags: []string{"url", "status"}}
	for _, spec := range []string{"json", "csv"} {
		path := filepath.Join(t.TempDir(), "all")
		whole, err := output.Make(spec+"="+path, output.Env{})
		if err != nil {
			t.Fatal(err)
		}
		if err := whole.Start(defs); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		for process := range 2 {
			var sent chunks
			part, err := output.Make(spec+"="+path, output.Env{Sink: &sent})
			if err != nil {
				t.Fatal(err)
			}
			if err := part.Start(defs); err != nil {
				t.Fatal(err)
			}
			b, tags := metric.NewBuiltin(metric.NewRegistry()), metric.NewTags()
			for i := range 2000 {
				value := fmt.Sprintf("process %d,\n sample %d", process, i)
				want[value]++
				part.Add([]metric.Sample{{Metric: b.HTTPReqs, Time: time.Unix(1, 0), Value: 1, Tags: tags.Of(metric.Tag{Key: "url", Value: value})}})
			}
			if err := part.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(sent) < 3 {
				t.Errorf("%s: %d chunks", spec, len(sent))
			}
			for _, c := range sent {
				begins := bytes.HasPrefix(c, []byte("metric_name,")) || bytes.HasPrefix(c, []byte("http_reqs,")) || bytes.HasPrefix(c, []byte(`{"`))
				if len(c) > 1<<15 || !begins || !bytes.HasSuffix(c, []byte("\n")) { // a line may have a line break within
					t.Errorf("%s: a chunk of %d bytes that begins with %.20q and ends in %q", spec, len(c), c, c[max(0, len(c)-20):])
				}
				whole.AddLines(c)
			}
			if err := part.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if err := whole.Stop(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(got), `\n`, "\n")
		for value := range want {
			if n := strings.Count(text, value+`"`); n != 1 {
				t.Fatalf("%s: %q is there %d times", spec, value, n)
			}
		}
		definition := map[string]string{"json": `{"type":"Metric"`, "csv": "metric_name,"}[spec]
		if n := strings.Count(text, definition); n != 1 || !strings.HasPrefix(text, definition) {
			t.Errorf("%s: %d definitions", spec, n)
		}
	}
}
