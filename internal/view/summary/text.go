package summary

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"throng/internal/metric"
	"throng/internal/threshold"
)

// Text is the report for people: thresholds, totals and, in a full report, a section for every group and scenario.
func Text(r Report) string {
	p := printer{Report: r, colour: r.StdoutTTY && !r.NoColor}
	var blocks []string
	add := func(title string, paragraphs []string) {
		head := "  █ " + p.paint("1", title) + " "
		blocks = append(blocks, strings.Join(append([]string{head}, paragraphs...), "\n\n"))
	}
	entries := r.entries()
	if len(r.Verdicts.All) > 0 {
		add("THRESHOLDS", p.thresholds())
	}
	all := func(metric.Selector) bool { return true }
	total := p.checks(r.checks(metric.CheckPart, all), 0)
	if i := slices.IndexFunc(entries, func(e entry) bool { return e.name == "checks" }); total == nil && i >= 0 {
		// A threshold asks for checks and there was none, or they have no names.
		total = []string{p.checkCounts(entries[i].Trues, entries[i].Count, 0) + "\n"}
	}
	total = append(total, p.metrics(entries, 0)...)
	add("TOTAL RESULTS", total)
	if late := p.lateness(); late != nil {
		add("DUE TIMES", late)
	}
	if r.Full {
		p.parts(add)
	}
	return "\n\n" + strings.Join(blocks, "\n\n\n") + "\n\n\n\n"
}

type printer struct {
	Report
	colour bool
}

// paint wraps s in the SGR codes (ECMA-48) when colours are on.
func (p printer) paint(codes, s string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + codes + "m" + s + "\x1b[0m"
}

const (
	bold, red, green, white, cyan = "1", "31", "32", "37", "36"
	dimWhite, dimCyan             = "2;37", "2;36"
)

func (p printer) human(v float64, c metric.Contains) string { return human(v, c, p.TimeUnit) }

func (p printer) thresholds() []string {
	byName := map[string][]threshold.Verdict{}
	for _, v := range p.Verdicts.All {
		byName[v.Name] = append(byName[v.Name], v)
	}
	// A part stands below its metric where that has thresholds of its own, else by itself.
	nested := func(name string) (top string, ok bool) {
		top, _, part := strings.Cut(name, "{")
		return top, part && byName[top] != nil
	}
	names := slices.SortedFunc(maps.Keys(byName), func(a, b string) int {
		topA, inA := nested(a)
		topB, inB := nested(b)
		if !inA {
			topA = a
		}
		if !inB {
			topB = b
		}
		return cmp.Or(compareNames(topA, topB), compareNames(a, b))
	})
	var out []string
	for _, name := range names {
		indent, title := "    ", name
		if top, ok := nested(name); ok {
			indent, title = "      ", name[len(top):]
		}
		lines := []string{indent + title}
		for _, v := range byName[name] {
			mark := p.paint(green, "✓")
			if v.Crossed {
				mark = p.paint(red, "✗")
			}
			lines = append(lines, fmt.Sprintf("%s%s %s %s=%s", indent, mark, p.paint(white, "'"+v.Rule.Source+"'"),
				p.paint(white, v.Rule.Expression.Name), p.paint(cyan, p.verdictValue(v))))
		}
		out = append(out, strings.Join(lines, "\n"))
	}
	return out
}

func (p printer) verdictValue(v threshold.Verdict) string {
	switch {
	case v.Kind == metric.Rate:
		return percent(v.Value)
	case v.Kind == metric.Counter && v.Rule.Expression.Method == "rate":
		return p.human(v.Value, v.Contains) + "/s"
	default:
		return p.human(v.Value, v.Contains)
	}
}

// checks are two paragraphs: how many, and each by its name (checks of one name in several groups are one line).
func (p printer) checks(checks []check, depth int) []string {
	var merged []check
	at := map[string]int{}
	var passes, count int64
	for _, c := range checks {
		passes, count = passes+c.passes, count+c.passes+c.fails
		i, known := at[c.name]
		if !known {
			at[c.name] = len(merged)
			merged = append(merged, c)
			continue
		}
		merged[i].passes += c.passes
		merged[i].fails += c.fails
	}
	if count == 0 {
		return nil
	}
	indent := strings.Repeat("  ", depth)
	var lines []string
	for _, c := range merged {
		if c.fails == 0 {
			lines = append(lines, "    "+indent+p.paint(green, "✓ "+c.name))
			continue
		}
		// The second line stands twice as deep: so it is in k6.
		lines = append(lines, "    "+indent+p.paint(red, "✗ "+c.name), "      "+indent+indent+p.paint(red,
			fmt.Sprintf("↳  %d%% — ✓ %d / ✗ %d", int64(math.Floor(100*share(c.passes, c.passes+c.fails))), c.passes, c.fails)))
	}
	return []string{p.checkCounts(passes, count, depth), strings.Join(lines, "\n")}
}

func (p printer) checkCounts(passes, count int64, depth int) string {
	rows := []row{
		{name: "checks_total", first: fmt.Sprint(count), more: []string{humanNumber(p.perSecond(float64(count))) + "/s"}},
		{name: "checks_succeeded", first: percent(share(passes, count)), more: []string{fmt.Sprintf("%d out of %d", passes, count)}},
		{name: "checks_failed", first: percent(share(count-passes, count)), more: []string{fmt.Sprintf("%d out of %d", count-passes, count)}},
	}
	return strings.Join(p.table([][]row{rows}, depth)[0], "\n")
}

// sections are the headings that metrics stand under, in this order, and what belongs to each.
var sections = [...]struct {
	title string
	has   func(name string, full bool) bool
}{
	{"CUSTOM", nil}, // what belongs nowhere else
	{"HTTP", func(n string, full bool) bool {
		return slices.Contains(httpShort[:], n) || full && slices.Contains(httpRest[:], n)
	}},
	{"EXECUTION", func(n string, _ bool) bool {
		return strings.HasPrefix(n, "vus") || n == "iterations" || n == "iteration_duration" || n == "dropped_iterations"
	}},
	{"NETWORK", func(n string, _ bool) bool { return n == "data_sent" || n == "data_received" }},
	{"BROWSER", func(n string, _ bool) bool {
		return strings.HasPrefix(n, "browser_") && !strings.HasPrefix(n, "browser_web_vital_")
	}},
	{"WEB_VITALS", func(n string, _ bool) bool { return strings.HasPrefix(n, "browser_web_vital_") }},
	{"GRPC", func(n string, _ bool) bool { return strings.HasPrefix(n, "grpc_") }},
	{"WEBSOCKET", func(n string, _ bool) bool { return strings.HasPrefix(n, "ws_") }},
}

var (
	httpShort = [...]string{"http_req_duration", "http_req_failed", "http_reqs"}
	httpRest  = [...]string{"http_req_blocked", "http_req_connecting", "http_req_receiving", "http_req_sending", "http_req_tls_handshaking", "http_req_waiting"}
)

// sectionOf is the index of the heading for a metric, or -1 for what has a place of its own or is not shown.
func sectionOf(name string, full bool) int {
	if name == "checks" || name == "group_duration" || !full && slices.Contains(httpRest[:], name) {
		return -1
	}
	for i, s := range sections[1:] {
		if s.has(name, full) {
			return i + 1
		}
	}
	return 0
}

// metrics are a paragraph for every heading that has metrics, columns aligned over all of them.
func (p printer) metrics(entries []entry, depth int) []string {
	groups := make([][]row, len(sections))
	for _, e := range entries {
		i := sectionOf(e.name, p.Full)
		if i < 0 {
			continue
		}
		groups[i] = append(groups[i], p.row(e.name, e.Series))
		for _, part := range e.parts {
			inner := part.name[strings.IndexByte(part.name, '{')+1 : len(part.name)-1]
			groups[i] = append(groups[i], p.row("  { "+inner+" }", part.Series))
		}
	}
	var out []string
	for i, lines := range p.table(groups, depth) {
		if len(lines) > 0 {
			out = append(out, strings.Repeat("  ", depth)+"    "+p.paint(bold, sections[i].title)+"\n"+strings.Join(lines, "\n"))
		}
	}
	return out
}

// row is one line of a table: a name, and either the columns of a trend or a value and what is said beside it.
type row struct {
	name  string
	trend []string // "avg=", "1.5s", "min=", ...
	first string
	more  []string
}

func (p printer) row(name string, s metric.Series) row {
	switch s.Kind {
	case metric.Counter:
		return row{name: name, first: p.human(s.Sum, s.Contains), more: []string{p.human(p.perSecond(s.Sum), s.Contains) + "/s"}}
	case metric.Gauge:
		return row{name: name, first: p.human(s.Last, s.Contains),
			more: []string{"min=" + p.human(s.Min, s.Contains), "max=" + p.human(s.Max, s.Contains)}}
	case metric.Rate:
		return row{name: name, first: percent(share(s.Trues, s.Count)), more: []string{fmt.Sprintf("%d out of %d", s.Trues, s.Count)}}
	}
	return p.trendRow(name, s, p.stats())
}

func (p printer) trendRow(name string, s metric.Series, stats []string) row {
	r := row{name: name}
	for _, what := range stats {
		v, known := stat(s.Trend, what)
		contains := s.Contains
		if what == "count" {
			contains = metric.Default
		}
		if known {
			r.trend = append(r.trend, what+"=", p.human(v, contains))
		}
	}
	return r
}

// table writes groups of rows with one width for every column over all groups.
func (p printer) table(groups [][]row, depth int) [][]string {
	var name, first int
	more, trend := [2]int{}, map[int]int{}
	for _, rows := range groups {
		for _, r := range rows {
			name, first = max(name, width(r.name)), max(first, width(r.first))
			for i, m := range r.more {
				more[i] = max(more[i], width(m))
			}
			for i := 0; i < len(r.trend); i += 2 {
				trend[i] = max(trend[i], width(r.trend[i])+width(r.trend[i+1]))
			}
		}
	}
	pad := func(n int) string { return strings.Repeat(" ", max(0, n)) }
	out := make([][]string, len(groups))
	for g, rows := range groups {
		for _, r := range rows {
			var b strings.Builder
			b.WriteString(strings.Repeat("  ", depth) + "    " + r.name)
			b.WriteString(p.paint(dimWhite, strings.Repeat(".", name-width(r.name)+3)+":"))
			for i := 0; i < len(r.trend); i += 2 {
				b.WriteString(" " + r.trend[i] + p.paint(cyan, r.trend[i+1]) + pad(trend[i]-width(r.trend[i])-width(r.trend[i+1])))
			}
			if r.trend == nil {
				b.WriteString(" " + p.paint(cyan, r.first) + pad(first-width(r.first)))
			}
			for i, m := range r.more {
				b.WriteString(" " + p.paint(dimCyan, m))
				if len(r.more) > 1 {
					b.WriteString(pad(more[i] - width(m)))
				}
			}
			out[g] = append(out[g], b.String())
		}
	}
	return out
}

func width(s string) int { return utf8.RuneCountInString(s) }

// lateness says how far a generator stayed behind its own plan, and what that would have cost a user who came on time.
func (p printer) lateness() []string {
	l := p.Lateness
	if l == nil || l.Start == nil || l.Start.Count() == 0 {
		return nil
	}
	rows := []row{p.trendRow("iterations_started_late", metric.Series{Contains: metric.Time, Trend: l.Start}, []string{"avg", "p(95)", "max"})}
	if l.FromDue != nil && l.FromDue.Count() > 0 {
		rows = append(rows,
			p.trendRow("latency_from_due_time", metric.Series{Contains: metric.Time, Trend: l.FromDue}, p.stats()),
			p.trendRow("latency_from_send", metric.Series{Contains: metric.Time, Trend: l.FromSend}, p.stats()))
	}
	tables := p.table([][]row{rows[:1]}, 0)
	if len(rows) > 1 {
		tables = append(tables, p.table([][]row{rows[1:]}, 0)...)
	}
	var out []string
	for _, lines := range tables {
		out = append(out, strings.Join(lines, "\n"))
	}
	return out
}
