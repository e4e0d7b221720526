package term_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"throng/internal/view/term"
)

// vt is a terminal without an end: it understands what a Screen sends and keeps every row.
type vt struct {
	mu       sync.Mutex
	rows     []string
	row, col int
}

func (v *vt) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := []rune(string(p))
	for i := 0; i < len(text); i++ {
		for len(v.rows) <= v.row {
			v.rows = append(v.rows, "")
		}
		switch r := text[i]; r {
		case '\r':
			v.col = 0
		case '\n':
			v.row, v.col = v.row+1, 0
		case '\x1b':
			n, j := 0, i+2
			for ; text[j] >= '0' && text[j] <= '9' || text[j] == ';'; j++ {
				n = n*10 + int(text[j]-'0')
			}
			switch text[j] {
			case 'A':
				v.row -= n
			case 'J':
				v.rows = append(v.rows[:v.row], cutRunes(v.rows[v.row], v.col))
			case 'K':
				v.rows[v.row] = cutRunes(v.rows[v.row], v.col)
			}
			i = j
		default:
			row := []rune(v.rows[v.row])
			for len(row) <= v.col {
				row = append(row, ' ')
			}
			row[v.col] = r
			v.rows[v.row] = string(row)
			v.col++
		}
	}
	return len(p), nil
}

func cutRunes(s string, n int) string { return string([]rune(s)[:min(n, len([]rune(s)))]) }

func (v *vt) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.TrimRight(strings.Join(v.rows, "\n"), "\n")
}

func size() (int, int) { return 40, 20 }

func TestLogsStandAboveTheBars(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		v := &vt{}
		s := term.NewScreen(v, size)
		logs := s.Above(v)
		var want []string
		var bars []string
		partial := ""
		for i := range 60 {
			switch rng.IntN(3) {
			case 0:
				bars = nil
				for n := range 1 + rng.IntN(4) {
					bars = append(bars, fmt.Sprintf("bar %d at %d", n, i))
				}
				if err := s.Draw(func(int, int) []string { return bars }); err != nil {
					t.Fatal(err)
				}
			case 1:
				partial += fmt.Sprintf("part %d ", i)
				io.WriteString(logs, fmt.Sprintf("part %d ", i))
			default:
				io.WriteString(logs, fmt.Sprintf("line %d\nnext %d\n", i, i))
				want = append(want, partial+fmt.Sprintf("line %d", i), fmt.Sprintf("next %d", i))
				partial = ""
			}
			if got := v.String(); got != strings.Join(append(want[:len(want):len(want)], bars...), "\n") {
				t.Fatalf("seed %d, step %d:\n%s", seed, i, got)
			}
		}
	}
}

func TestANarrowerTerminalLeavesNoRubble(t *testing.T) {
	v := &vt{}
	width := 40
	s := term.NewScreen(v, func() (int, int) { return width, 20 })
	draw := func(text string) {
		if err := s.Draw(func(w, _ int) []string { return []string{strings.Repeat(text, w)} }); err != nil {
			t.Fatal(err)
		}
	}
	draw("a")
	// What a terminal does when it gets narrower: the line wraps, and the cursor is one row lower.
	v.rows, v.row = []string{strings.Repeat("a", 30), strings.Repeat("a", 10), ""}, 2
	width = 30
	draw("b")
	if got := v.String(); got != strings.Repeat("b", 30) {
		t.Errorf("on the screen:\n%s", got)
	}
}

func TestProgressIsDrawnInTimeAndStaysAtTheEnd(t *testing.T) {
	for _, tty := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			v := &vt{}
			d := term.Display{Out: v}
			if tty {
				d.Screen = term.NewScreen(v, func() (int, int) { return 80, 20 })
			}
			ctx, cancel := context.WithCancel(t.Context())
			done, drawn := make(chan error), 0
			go func() { done <- d.Run(ctx, func() term.Frame { drawn++; return some() }) }()
			time.Sleep(2050 * time.Millisecond)
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if want := map[bool]int{true: 20, false: 2}[tty]; drawn != want {
				t.Errorf("terminal %v: drawn %d times in two seconds, want %d", tty, drawn, want)
			}
			if err := d.Final(some()); err != nil {
				t.Fatal(err)
			}
			want := map[bool]int{true: 1, false: 3}[tty]
			if got := strings.Count(v.String(), "running (03.0s), 5/6 VUs, 8 complete and 0 interrupted iterations"); got != want {
				t.Errorf("terminal %v: the state stands %d times, want %d:\n%s", tty, got, want, v)
			}
		})
	}
}

func TestQuietShowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		d := term.Display{Out: &b, Quiet: true}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := d.Run(ctx, some); err != nil || d.Final(some()) != nil || b.Len() > 0 {
			t.Errorf("%q, %v", b.String(), err)
		}
	})
}
