package desk

import (
	"maps"
	"slices"
	"sync"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/order"
	"throng/internal/run"
)

// Event is one thing that those who follow a run are told. Exactly one of the pointers is set, or Over is.
type Event struct {
	// N numbers the events of one feed; ticks have none, since only the newest counts.
	N     int64      `json:"n,omitempty"`
	Node  string     `json:"node,omitempty"`
	Line  *beat.Line `json:"line,omitempty"`
	Stage *string    `json:"stage,omitempty"` // of the run: setup(), teardown(), "" beside them
	Tick  *Tick      `json:"tick,omitempty"`
	// State is sent first, and whenever the run's state changes.
	State cluster.RunState `json:"state,omitempty"`
	// Before is how many runs come before this one, while it is queued.
	Before int `json:"before,omitempty"`
	// Lines are of an output that the run's submitter has asked for. They are told to one who follows with outputs=1.
	Lines *order.Lines `json:"lines,omitempty"`
	// Feed tells one feed from the next leader's.
	Feed string `json:"feed,omitempty"`
	Over bool   `json:"over,omitempty"` // the run has ended: its result can be had
}

// Tick is how a run is, once a second.
type Tick struct {
	Elapsed  time.Duration  `json:"elapsed"` // of the scenarios
	Begun    time.Duration  `json:"begun"`   // since setup began
	Snapshot []byte         `json:"snapshot"`
	Progress []run.Progress `json:"progress"`
	Nodes    int            `json:"nodes"` // at work
}

// How many lines a feed remembers, and how many bytes of text.
const (
	maxFeed     = 10_000
	maxFeedText = 4 << 20
)

// feed tells those who follow a run what happens. It never waits for them: who is too slow is told what was left out.
type feed struct {
	id string

	mu      sync.Mutex // guards what follows
	events  []Event    // lines and stages, numbered without a gap
	next    int64
	text    int              // bytes of events
	dropped map[string]int64 // lines that were left out, by node, and that nobody has been told of yet
	tick    *Tick
	over    bool
	changed chan struct{} // closed, and made anew, at every change
	stopper func(error)
	leftOut int64
	bulk    bulk
}

// maxBulk is how many bytes of outputs' lines wait for whoever follows. What is beyond is left out, the oldest first.
const maxBulk = 64 << 20

// bulk are the lines of outputs, in the order in which they came.
type bulk struct {
	chunks []*order.Lines
	bytes  int
	gone   int64            // chunks that are not there any more
	sent   int64            // chunks that somebody was told
	last   map[string]int64 // by part, the number of its last chunk
}

// output takes lines of an output.
func (f *feed) output(l *order.Lines) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := &f.bulk
	if l.N <= b.last[l.Part] {
		return // they came before, and the answer was lost
	}
	if b.last == nil {
		b.last = map[string]int64{}
	}
	b.last[l.Part] = l.N
	b.chunks = append(b.chunks, l)
	b.bytes += len(l.Lines)
	for b.bytes > maxBulk {
		if b.gone >= b.sent {
			f.leftOut++
		}
		b.bytes -= len(b.chunks[0].Lines)
		b.chunks = b.chunks[1:]
		b.gone++
	}
	f.notify()
}

// lines returns the chunks from number n on, and the number of the next one.
func (f *feed) lines(n int64) (chunks []*order.Lines, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := &f.bulk
	next = b.gone + int64(len(b.chunks))
	b.sent = next
	return slices.Clone(b.chunks[min(max(0, n-b.gone), int64(len(b.chunks))):]), next
}

// open returns the feed of a run, made if there is none.
func (d *Desk) open(id string) *feed {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.feeds[id]
	if f == nil {
		f = &feed{id: NewID(time.Now()), changed: make(chan struct{})}
		d.feeds[id] = f
	}
	return f
}

func (d *Desk) find(id string) *feed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.feeds[id]
}

// close ends the feed of a run; rec is its record if it has ended, nil if another node leads it now.
func (d *Desk) close(f *feed, rec *cluster.Run) {
	d.mu.Lock()
	for id, o := range d.feeds {
		if o == f {
			delete(d.feeds, id)
		}
	}
	d.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.tellDropped()
	if rec != nil {
		f.append(Event{Over: true, State: rec.State})
	}
	f.notify()
}

func (f *feed) notify() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// append numbers an event. The caller holds mu.
func (f *feed) append(e Event) {
	e.N = f.next
	f.next++
	f.events = append(f.events, e)
	f.text += e.size()
	for len(f.events) > maxFeed || f.text > maxFeedText {
		f.text -= f.events[0].size()
		f.events = f.events[1:]
	}
}

// size is how many bytes of text an event has.
func (e *Event) size() (n int) {
	if e.Line == nil {
		return 0
	}
	for _, a := range e.Line.Attrs {
		n += len(a[0]) + len(a[1])
	}
	return n + len(e.Line.Text)
}

// say tells of events.
func (f *feed) say(events ...Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		f.append(e)
	}
	f.notify()
}

const levelWarn = 4 // slog's

// warn tells what a user should know.
func (f *feed) warn(text string) {
	f.say(warning("", text))
}

func warning(node, text string) Event {
	return Event{Node: node, Line: &beat.Line{At: time.Now().UTC(), Level: levelWarn, Text: text}}
}

// beat tells how the run is.
func (f *feed) now(t Tick) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tick = &t
	f.tellDropped()
	f.notify()
}

// onStop says who is to be told when somebody asks for the run's end; nil: nobody any more.
func (f *feed) onStop(stop func(error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopper = stop
}

// stop asks for the run's end and reports whether there was somebody to ask.
func (f *feed) stop(why error) bool {
	f.mu.Lock()
	stop := f.stopper
	f.mu.Unlock()
	if stop != nil {
		stop(why)
	}
	return stop != nil
}

// drop notes lines of a node that were left out. They are told once a second: there may be many such notes.
func (f *feed) drop(node string, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped == nil {
		f.dropped = map[string]int64{}
	}
	f.dropped[node] += n
}

// tellDropped tells of the lines that were left out. The caller holds mu.
func (f *feed) tellDropped() {
	for _, node := range slices.Sorted(maps.Keys(f.dropped)) {
		f.append(warning(node, leftOutText(f.dropped[node])))
	}
	f.dropped = nil
}

// history are the lines that were told.
func (f *feed) history() []Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tellDropped()
	var out []Event
	for _, e := range f.events {
		if e.Line != nil {
			out = append(out, e)
		}
	}
	return out
}

// after returns the events from number n on, and in the place of those that are not there any more how many they were; the newest tick if it is not the one seen last, whether the feed is over, and
// a channel that is closed at the next change.
func (f *feed) after(n int64, seen *Tick) (events []Event, tick *Tick, over bool, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := f.next - int64(len(f.events))
	if n < first {
		gone := warning("", leftOutText(first-n))
		gone.N = first - 1
		events = append(events, gone)
	}
	events = append(events, f.events[min(max(0, n-first), int64(len(f.events))):]...)
	if f.tick != seen {
		tick = f.tick
	}
	return events, tick, f.over, f.changed
}

// Lines is the Receiver's taker of lines. It reports whether there is somebody to take them.
func (d *Desk) Lines(node, runID, _ string, lines []beat.Line, leftOut int64) bool {
	f := d.find(runID)
	if f == nil {
		return false
	}
	events := make([]Event, 0, len(lines))
	for _, l := range lines {
		events = append(events, Event{Node: node, Line: &l})
	}
	f.say(events...)
	if leftOut > 0 {
		f.drop(node, leftOut)
	}
	return true
}
