package metric

import (
	"slices"
	"sync"
	"unsafe"
)

// names is the decoded form of the part that seldom changes.
type names struct {
	text      string   // the encoded form, of which all texts are parts
	series    []Series // without their numbers
	groups    []string
	checks    []Selector
	scenarios []string
	reserved  []string // sorted; nil: none
	cost      int      // bytes
}

// Names has snapshots of different runners share what they have in common: a thousand runners of one script measure the same series. The
// zero value is ready, and safe for concurrent use.
type Names struct {
	mu   sync.Mutex
	seen []*names // the newest last
}

// mostNames are how many different ones are kept: runners that meet their series in another order have others.
const mostNames = 64

// Read is the function Read for a snapshot whose names another one may have brought.
func (n *Names) Read(data []byte, last *Encoded) (*Encoded, error) { return read(data, last, n) }

func (n *Names) find(raw []byte) *names {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.seen {
		if s.text == string(raw) {
			return s
		}
	}
	return nil
}

func (n *Names) add(s *names) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.seen) == mostNames {
		n.seen = slices.Delete(n.seen, 0, 1)
	}
	n.seen = append(n.seen, s)
}

// readNames returns nil when raw is malformed, or would take more than budget.
func readNames(raw []byte, budget int) *names {
	r := nameReader{decoder: decoder{b: raw}, names: &names{text: string(raw), cost: len(raw)}, budget: budget}
	r.readTable()
	r.readSeries()
	r.groups = r.list()
	r.checks = make([]Selector, r.count(2, int(unsafe.Sizeof(Selector{}))))
	for i := range r.checks {
		r.checks[i] = r.selector()
	}
	r.scenarios = r.list()
	r.readReserved()
	if r.bad || len(r.b) > 0 {
		return nil
	}
	return r.names
}

type nameReader struct {
	decoder
	*names
	table  []string
	budget int
}

// count reads how many of something follow: each has at least so many bytes, and takes size in memory.
func (r *nameReader) count(bytes, size int) int {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.b)/bytes) || n*uint64(size) > uint64(max(0, r.budget-r.cost)) {
		r.bad = true
		return 0
	}
	r.cost += int(n) * size
	return int(n)
}

func (r *nameReader) readTable() {
	r.table = make([]string, r.count(1, int(unsafe.Sizeof(""))))
	for i := range r.table {
		size := r.uvarint()
		at := len(r.text) - len(r.b)
		r.table[i] = r.text[at : at+len(r.bytes(size))]
	}
}

func (r *nameReader) pick() string {
	i := r.uvarint()
	if i >= uint64(len(r.table)) {
		r.bad = true
		return ""
	}
	return r.table[i]
}

func (r *nameReader) selector() Selector {
	s := Selector{Metric: r.pick()}
	if n := r.count(2, int(unsafe.Sizeof(Tag{}))); n > 0 {
		s.Tags = make([]Tag, n)
		for i := range s.Tags {
			s.Tags[i] = Tag{Key: r.pick(), Value: r.pick()}
		}
	}
	return s
}

func (r *nameReader) list() []string {
	n := r.count(1, int(unsafe.Sizeof("")))
	if n == 0 {
		return nil
	}
	l := make([]string, n)
	for i := range l {
		l[i] = r.pick()
	}
	return l
}

func (r *nameReader) readSeries() {
	r.series = make([]Series, r.count(3, int(unsafe.Sizeof(Series{}))))
	for i := range r.series {
		c := r.byte()
		s := Series{Kind: Kind(c & 3), Contains: Contains(c >> 2 & 3), Role: Role(c >> 4), Selector: r.selector()}
		r.bad = r.bad || s.Contains > Data || s.Role > ScenarioCheck
		r.series[i] = s
	}
}

// readReserved reads the names of Reserved, whose number is one more than there are: none is not the same as no map.
func (r *nameReader) readReserved() {
	n := r.uvarint()
	if n == 0 || n-1 > uint64(len(r.b)) {
		r.bad = r.bad || n > 0
		return
	}
	r.reserved = make([]string, n-1)
	for i := range r.reserved {
		r.reserved[i] = r.pick()
		r.bad = r.bad || i > 0 && r.reserved[i] <= r.reserved[i-1]
	}
}
