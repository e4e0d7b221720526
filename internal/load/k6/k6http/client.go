package k6http

import (
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/grafana/sobek"
	"golang.org/x/time/rate"

	"throng/internal/load/httpc"
	"throng/internal/load/k6/scope"
)

// client is one virtual user's side of k6/http. Only the goroutine that owns the runtime touches it; what other
// goroutines need of it is in a call or in shared.
type client struct {
	vu     *scope.VU
	shared *shared
	http   *httpc.Client // nil until the first request

	jar      *Jar // nil until used
	jarValue *sobek.Object
	callback *statuses

	slots   []slot // what the last URLs have led to; a call site in a loop finds its own again
	own     carrier
	methods *methods // nil until a response's function is read
}

// slot remembers a URL and the series that its last request was counted under.
type slot struct {
	raw    string
	target *target
	known  *known
	call   *call // the last one without body and params
}

// shared is what all virtual users of the test share; it is safe for concurrent use.
type shared struct {
	test    *scope.Test
	netOnce sync.Once
	net     *networks
	targets targets
	known   seriesCache
	limiter *rate.Limiter // nil: no rps option

	defaultCallback *statuses
	agent           string
	redirects       int
	redirectsSet    bool // to something else than the default
	throw           bool
	kind            kind
	debug           string
	batch, perHost  int
}

// of returns the client of a virtual user, made when it is first asked for.
func of(vu *scope.VU) *client {
	if c, ok := vu.HTTP.(*client); ok {
		return c
	}
	c := &client{vu: vu, shared: sharedOf(vu.Test)}
	c.callback = c.shared.defaultCallback
	vu.HTTP = c
	vu.OnIterationStart = append(vu.OnIterationStart, c.startIteration)
	return c
}

func (c *client) startIteration() {
	o := c.vu.Test.Options
	if !o.NoCookiesReset.V {
		c.resetJar()
	}
	if o.NoVUConnectionReuse.V && c.http != nil {
		c.http.CloseIdle()
	}
}

// sharedOf returns the part that all clients share. While the first init runs the options are not known yet, and
// nothing may be sent: that runtime gets a part of its own.
func sharedOf(t *scope.Test) *shared {
	if t.Meter == nil {
		return newShared(t)
	}
	t.HTTP.Do(func() { t.HTTP.V = newShared(t) })
	return t.HTTP.V.(*shared)
}

func newShared(t *scope.Test) *shared {
	s := &shared{
		test: t, agent: defaultAgent, redirects: defaultRedirects, batch: 20, perHost: 6,
		defaultCallback: &statuses{ranges: [][2]int{{200, 399}}},
	}
	s.targets.seed = maphash.MakeSeed()
	o := t.Options
	if o == nil {
		return s
	}
	s.agent = o.UserAgent.Or(defaultAgent)
	s.redirects, s.redirectsSet = int(o.MaxRedirects.Or(defaultRedirects)), o.MaxRedirects.Or(defaultRedirects) != defaultRedirects
	s.throw, s.debug = o.Throw.V, o.HTTPDebug.V
	s.batch, s.perHost = int(o.Batch.Or(20)), int(o.BatchPerHost.Or(6))
	if o.DiscardResponseBodies.V {
		s.kind = none
	}
	if o.RPS.V > 0 {
		limit := rate.Limit(o.RPS.V)
		if t.Share > 0 {
			limit *= rate.Limit(t.Share)
		}
		s.limiter = rate.NewLimiter(limit, 1)
	}
	return s
}

// connect opens the virtual user's side of the network before its first request.
func (c *client) connect() *httpc.Client {
	if c.http != nil {
		return c.http
	}
	h, err := Network(c.vu)
	if err != nil {
		c.throw(fmt.Errorf("set up HTTP: %w", err))
	}
	c.http = h.NewClient()
	vu := c.vu
	vu.OnInterrupt.Add(c.http.Interrupt)
	vu.OnActivate = append(vu.OnActivate, c.http.Resume)
	vu.OnClose = append(vu.OnClose, c.http.Close)
	vu.Traffic = c.http.Traffic
	return c.http
}

// manySlots are for a script that uses several URLs. Most use one, and there may be thousands of virtual users.
const manySlots = 8

// slotFor returns the slot of the URL that raw spells.
func (c *client) slotFor(raw string) *slot {
	if len(c.slots) == 1 && c.slots[0].raw == raw {
		return &c.slots[0]
	}
	return c.slotAmong(raw)
}

func (c *client) slotAmong(raw string) *slot {
	h := maphash.String(c.shared.targets.seed, raw)
	switch len(c.slots) {
	case 0:
		c.slots = make([]slot, 1)
	case 1:
		c.slots = append(make([]slot, 0, manySlots), c.slots[0])[:manySlots]
	}
	s := &c.slots[h>>32%uint64(len(c.slots))]
	if s.target == nil || s.raw != raw {
		t := c.shared.targets.get(raw, h)
		*s = slot{raw: t.raw, target: t}
	}
	return s
}

func (c *client) target(raw string) *target { return c.slotFor(raw).target }

// slotOf returns the slot that holds the target, or nil.
func (c *client) slotOf(t *target) *slot {
	for i := range c.slots {
		if c.slots[i].target == t {
			return &c.slots[i]
		}
	}
	return nil
}
