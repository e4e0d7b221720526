package term

import (
	"fmt"
	"strings"
	"time"
)

// Header is what run prints before a test.
type Header struct {
	Version     string
	Execution   string   // "local" unless told
	Script      string   // as the user named it
	Outputs     []string // Describe of each
	Dashboard   string   // where the live page is; "": none
	Share       string   // the part of the test that this is: "100.00%" unless told
	Scenarios   []string // one line each, as the executors word them: "steady: 1 looping VUs for 1s"
	MaxVUs      int64
	MaxDuration time.Duration // graceful stops included
	Colour      bool
}

// String is the header with the blank lines around it.
func (h Header) String() string {
	paint := func(s string) string { return paint(h.Colour, cyan, s) }
	var b strings.Builder
	b.WriteString("\n")
	for _, line := range [...]string{
		"      _ _ _",
		"  ___( | | )___   throng " + h.Version,
		" (___( | | )___)  load, from as many hosts as it takes",
	} {
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	output := "-"
	if len(h.Outputs) > 0 {
		output = strings.Join(h.Outputs, ", ")
	}
	fmt.Fprintf(&b, "\n     execution: %s\n        script: %s\n", paint(or(h.Execution, "local")), paint(h.Script))
	if h.Dashboard != "" {
		fmt.Fprintf(&b, " web dashboard: %s\n", paint(h.Dashboard))
	}
	fmt.Fprintf(&b, "        output: %s\n\n", paint(output))
	s := "s"
	if len(h.Scenarios) == 1 {
		s = ""
	}
	fmt.Fprintf(&b, "     scenarios: %s\n", paint(fmt.Sprintf("(%s) %d scenario%s, %d max VUs, %s max duration (incl. graceful stop):",
		or(h.Share, "100.00%"), len(h.Scenarios), s, h.MaxVUs, h.MaxDuration)))
	for _, line := range h.Scenarios {
		b.WriteString("              * " + line + "\n")
	}
	b.WriteString("\n\n")
	return b.String()
}

func or(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// SGR codes (ECMA-48).
const red, green, yellow, cyan, grey, dim = "31", "32", "33", "36", "37", "2"

func paint(on bool, code, s string) string {
	if !on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
