package term_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"throng/internal/metric"
	"throng/internal/run"
	"throng/internal/view/term"
)

var update = flag.Bool("update", false, "rewrite testdata")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != got {
		t.Errorf("%s differs (%v); got:\n%s", name, err, got)
	}
}

func some() term.Frame {
	return term.Frame{
		Elapsed: 3 * time.Second, Max: 39 * time.Second, Load: metric.Load{VUs: 5, VUsMax: 6, Iterations: 8},
		Scenarios: []run.Progress{
			{Scenario: "a", Done: 1, Started: true, Ended: true, Right: []run.Column{run.Text("2 VUs"), run.Text("3s")}},
			{Scenario: "car", Done: 0.6, Started: true, Right: []run.Column{run.Text("0/1 VUs"), run.Text("1.8s/3s"), run.Text("0.50 iters/s")}},
			{Scenario: "longer_name", Done: 0.156, Started: true, Right: []run.Column{run.Text("3 VUs"), run.Text("0.8s/8s"), run.Text("03/20 shared iters")}},
			{Scenario: "late", Right: []run.Column{run.Text("waiting"), run.Text("0.2s")}},
			{Scenario: "down", State: "↓", Done: 0.9, Started: true, Right: []run.Column{run.Text("1 VUs"), run.Text("2.8s/3s")}},
			{Scenario: "cut", State: "✗", Done: 0.3, Started: true, Ended: true, Right: []run.Column{run.Text("1 VUs"), run.Text("0.8s/3s")}},
		},
	}
}

func TestFrames(t *testing.T) {
	f := some()
	var b strings.Builder
	show := func(title string, lines []string) {
		b.WriteString("-- " + title + "\n" + strings.Join(lines, "\n") + "\n")
	}
	show("plain", f.Plain())
	show("100 wide", f.Lines(100, 30, false))
	show("40 wide", f.Lines(40, 30, false))
	show("5 high", f.Lines(100, 5, false))
	show("coloured", f.Lines(100, 30, true))
	f.Stage = "setup()"
	show("setup, plain", f.Plain())
	show("setup", f.Lines(80, 30, false))
	f.Stage, f.Load.VUsMax = "", 1200
	show("many", f.Plain()[:1])
	f.Paused, f.Load.VUsMax = true, 6
	for _, d := range []time.Duration{10 * time.Second, 90 * time.Second, 630 * time.Second, 90 * time.Minute, 30 * time.Hour} {
		f.Max, f.Elapsed = d, d/2
		show("paused, of "+d.String(), f.Plain()[:1])
	}
	golden(t, "frames.txt", strings.ReplaceAll(b.String(), "\x1b", "ESC"))
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for width := range 130 {
		for height := range 12 {
			for _, colour := range []bool{false, true} {
				lines := some().Lines(width, height, colour)
				if len(lines) > max(height, 2) {
					t.Fatalf("%d lines on a terminal of %d", len(lines), height)
				}
				for _, l := range lines {
					if n := utf8.RuneCountInString(sgr.ReplaceAllString(l, "")); n > max(width, 1) {
						t.Fatalf("%q is %d wide on a terminal of %d", l, n, width)
					}
				}
			}
		}
	}
}

func TestOddProgressDrawsABar(t *testing.T) {
	for _, done := range []float64{-1, 0, 0.0001, 0.9999, 1, 7} {
		f := term.Frame{Scenarios: []run.Progress{{Scenario: "s", Done: done}}}
		if l := f.Lines(60, 9, false)[1]; strings.Count(l, "=")+strings.Count(l, "-")+strings.Count(l, ">") != 40 {
			t.Errorf("done %v: %q", done, l)
		}
	}
}
