package term

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"throng/internal/metric"
	"throng/internal/run"
)

// Frame is the state of a run at one moment.
type Frame struct {
	Stage     string // what is going on outside of the scenarios: "setup()", "teardown()"; "" while they run
	Paused    bool
	Elapsed   time.Duration // since the scenarios began
	Max       time.Duration // the longest that they can take; it fixes how many digits Elapsed has
	Load      metric.Load
	Pulse     Pulse // shown on a terminal only
	Scenarios []run.Progress
}

// Lines draws the frame for a terminal of that width and height; neither is exceeded. Too many scenarios are cut off
// with a line that says so.
func (f Frame) Lines(width, height int, colour bool) []string {
	width, height = max(width, 1), max(height, 2)
	lines := []string{f.overall(true, width, colour)}
	room := height - 2 // one line for the overall state, one that stays free for the cursor
	if f.Pulse.line != "" && f.Stage == "" && room > len(f.Scenarios) {
		lines = append(lines, f.Pulse.line)
		room--
	}
	shown := f.Scenarios
	if len(shown) > room {
		shown = shown[:max(0, room-1)]
	}
	lines = append(lines, f.bars(shown, width, colour)...)
	if more := len(f.Scenarios) - len(shown); more > 0 && height > 2 {
		lines = append(lines, fmt.Sprintf("... and %d more scenarios", more))
	}
	for i, l := range lines {
		lines[i] = truncate(l, width)
	}
	return lines
}

// Plain draws the frame for a file or a pipe.
func (f Frame) Plain() []string {
	return append([]string{f.overall(false, 80, false)}, f.bars(f.Scenarios, 0, false)...)
}

func (f Frame) overall(bar bool, width int, colour bool) string {
	if f.Stage != "" {
		name := pad("Run", f.nameWidth())
		if bar {
			return name + "   [" + meter(1, barWidth(width, f.nameWidth(), 10), colour) + "] " + f.Stage
		}
		return name + "   [ 100% ] " + f.Stage
	}
	state := "running"
	if f.Paused {
		state = "paused"
	}
	return fmt.Sprintf("%s (%s), %0*d/%d VUs, %d complete and %d interrupted iterations", state, clock(f.Elapsed, f.Max),
		len(strconv.FormatInt(f.Load.VUsMax, 10)), f.Load.VUs, f.Load.VUsMax, f.Load.Iterations, f.Load.Interrupted)
}

func (f Frame) nameWidth() int {
	w := 0
	for _, s := range f.Scenarios {
		w = max(w, utf8.RuneCountInString(s.Scenario))
	}
	return w
}

// bars has a line for every scenario: name, mark, bar (or percentage when width is 0), columns.
func (f Frame) bars(scenarios []run.Progress, width int, colour bool) []string {
	var columns []int
	for _, s := range scenarios {
		for i, c := range s.Right {
			if i == len(columns) {
				columns = append(columns, 0)
			}
			columns[i] = max(columns[i], utf8.RuneCountInString(c.String()))
		}
	}
	right := 0
	for _, c := range columns {
		right += c + 2
	}
	names := f.nameWidth()
	var out []string
	for _, s := range scenarios {
		var b strings.Builder
		b.WriteString(pad(s.Scenario, names) + " " + mark(s, colour) + " [")
		if width > 0 {
			b.WriteString(meter(s.Done, barWidth(width, names, right), colour))
		} else {
			fmt.Fprintf(&b, "%4d%% ", int(math.Floor(clamp(s.Done)*100)))
		}
		b.WriteString("]")
		for i, c := range s.Right {
			b.WriteString(strings.Repeat(" ", min(i, 1)+1) + pad(c.String(), columns[i]))
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// mark is one character in front of the bar: what the executor says, coloured, or what follows from its progress.
func mark(s run.Progress, colour bool) string {
	sign := s.State
	if sign == "" {
		switch {
		case s.Ended && s.Done >= 1:
			sign = "✓"
		case s.Ended:
			sign = "✗"
		case !s.Started && len(s.Right) > 0:
			sign = "•"
		default:
			sign = " "
		}
	}
	switch sign {
	case "✓":
		return paint(colour, green, sign)
	case "✗":
		return paint(colour, red, sign)
	case " ":
		return sign
	default:
		return paint(colour, dim, sign)
	}
}

// barWidth is what is left for a bar between a name and the columns: 4 to 40 cells.
func barWidth(width, name, right int) int { return min(40, max(4, width-name-6-right)) }

func meter(done float64, width int, colour bool) string {
	full := int(clamp(done) * float64(width))
	bar := strings.Repeat("=", full)
	if full > 0 && full < width {
		bar = bar[:full-1] + ">"
	}
	return bar + paint(colour, dim, strings.Repeat("-", width-full))
}

func clamp(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, 1)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// clock writes elapsed with as many digits as max will need, so that nothing jumps about: 05.0s, 0m05.0s, 1h02m05.0s.
func clock(elapsed, max time.Duration) string {
	tenths := int64(elapsed / (100 * time.Millisecond))
	seconds, minutes := float64(tenths%600)/10, tenths/600
	digits := func(n int64) int { return len(fmt.Sprint(n)) }
	switch {
	case max >= time.Hour || elapsed >= time.Hour:
		return fmt.Sprintf("%0*dh%02dm%04.1fs", digits(int64(max/time.Hour)), minutes/60, minutes%60, seconds)
	case max >= time.Minute || elapsed >= time.Minute:
		return fmt.Sprintf("%0*dm%04.1fs", digits(int64(max/time.Minute)), minutes, seconds)
	default:
		return fmt.Sprintf("%04.1fs", seconds)
	}
}

// cells is how wide s is on a terminal: SGR sequences take no room.
func cells(s string) int {
	n, escape := 0, false
	for _, r := range s {
		switch {
		case escape:
			escape = r != 'm'
		case r == '\x1b':
			escape = true
		default:
			n++
		}
	}
	return n
}

// truncate cuts s to width cells; what colours it had on is switched off at the cut.
func truncate(s string, width int) string {
	if cells(s) <= width {
		return s
	}
	n, escape, coloured := 0, false, false
	for i, r := range s {
		switch {
		case escape:
			escape = r != 'm'
		case r == '\x1b':
			escape, coloured = true, true
		case n == width:
			if coloured {
				return s[:i] + "\x1b[0m"
			}
			return s[:i]
		default:
			n++
		}
	}
	return s
}
