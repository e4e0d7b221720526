package k6http

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
)

// job is one entry of a batch.
type job struct {
	key  string // of an object of entries
	call *call
	resp *response
	err  error // why it failed on the way
	skip bool  // it was refused before
}

// batch is http.batch(): all entries at once, within the limits of the options batch and batchPerHost.
func (c *client) batch(f sobek.FunctionCall) sobek.Value {
	if c.vu.Phase == scope.Init {
		c.throw(errInitBatch)
	}
	switch {
	case len(f.Arguments) == 0:
		c.throw(errors.New("no argument was provided to http.batch()"))
	case len(f.Arguments) > 1:
		c.throw(errors.New("http.batch() accepts only an array or an object of requests"))
	}
	list, ok := f.Argument(0).(*sobek.Object)
	if !ok {
		c.throw(fmt.Errorf("invalid http.batch() argument type %s", goType(f.Argument(0))))
	}
	if _, callable := sobek.AssertFunction(list); callable {
		c.throw(fmt.Errorf("invalid http.batch() argument type %T", list.Export()))
	}
	jobs := c.jobs(list)
	k := c.carrier()
	k.fly(jobs)
	for i := range jobs {
		if j := &jobs[i]; j.err != nil {
			c.settleFailure(j.call, j.err)
		}
	}
	rt := c.vu.Runtime
	if isArray(list) {
		values := make([]any, len(jobs))
		for i := range jobs {
			values[i] = rt.NewDynamicObject(jobs[i].resp)
		}
		return rt.NewArray(values...)
	}
	out := rt.NewObject()
	for i := range jobs {
		_ = out.Set(jobs[i].key, rt.NewDynamicObject(jobs[i].resp))
	}
	return out
}

func (c *client) jobs(list *sobek.Object) []job {
	var jobs []job
	if isArray(list) {
		jobs = make([]job, length(list))
		for i := range jobs {
			c.entry(&jobs[i], strconv.Itoa(i), list.Get(strconv.Itoa(i)))
		}
		return jobs
	}
	keys := list.Keys()
	jobs = make([]job, len(keys))
	for i, k := range keys {
		c.entry(&jobs[i], k, list.Get(k))
	}
	return jobs
}

// entry parses one entry. One that makes no sense gets an error response and leaves the others alone.
func (c *client) entry(j *job, key string, v sobek.Value) {
	j.key, j.resp = key, &response{c: c}
	method, target, body, params, err := c.entryParts(key, v)
	if err == nil {
		j.call, err = c.callOf(method, target, body, params)
	}
	if err == nil {
		return
	}
	if c.shared.throw {
		c.throw(err)
	}
	c.warn("A batch request failed", err)
	j.skip = true
	j.resp.refuse(err)
}

func (c *client) entryParts(key string, v sobek.Value) (method string, target, body, params sobek.Value, err error) {
	o, ok := v.(*sobek.Object)
	if !ok {
		return "GET", v, nil, nil, nil
	}
	if isArray(o) {
		if length(o) < 2 {
			return "", nil, nil, nil, fmt.Errorf("invalid batch request '%#v'", o.Export())
		}
		return methodText(o.Get("0")), o.Get("1"), o.Get("2"), o.Get("3"), nil
	}
	if _, ok := o.Export().(*urlValue); ok {
		return "GET", o, nil, nil, nil
	}
	target = o.Get("url")
	if target == nil {
		return "", nil, nil, nil, fmt.Errorf("batch request %s doesn't have a url key", key)
	}
	method = "GET"
	if m := o.Get("method"); !nothing(m) {
		method = m.String()
	}
	return method, target, o.Get("body"), o.Get("params"), nil
}

// fly runs the jobs. The virtual user's own goroutine takes its part of them, so a batch of one starts no goroutine, and
// no more are started than may fly at once.
func (k *carrier) fly(jobs []job) {
	q := newQueue(k.shared, jobs)
	var wg sync.WaitGroup
	for range q.width() - 1 {
		wg.Go(func() { q.work(k, jobs) })
	}
	q.work(k, jobs)
	wg.Wait()
}

// queue hands out jobs, in order, as the limit for each host permits.
type queue struct {
	mu      sync.Mutex
	freed   sync.Cond
	waiting []int
	hosts   map[string]int // at work for each host; nil when no host can reach its limit
	all     int
	perHost int
	jobs    []job
}

func newQueue(s *shared, jobs []job) *queue {
	q := &queue{all: max(s.batch, 1), perHost: max(s.perHost, 1), jobs: jobs, waiting: make([]int, 0, len(jobs))}
	q.freed.L = &q.mu
	for i := range jobs {
		if !jobs[i].skip {
			q.waiting = append(q.waiting, i)
		}
	}
	if len(q.waiting) > q.perHost {
		q.hosts = map[string]int{}
	}
	return q
}

func (q *queue) width() int { return min(len(q.waiting), q.all) }

func (q *queue) work(k *carrier, jobs []job) {
	for {
		i, ok := q.next()
		if !ok {
			return
		}
		j, own := &jobs[i], *k
		j.err = own.run(j.call, j.resp)
		q.done(i)
	}
}

// next returns a job that may fly now, or false when none is left.
func (q *queue) next() (int, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		for at, i := range q.waiting {
			if q.hosts != nil {
				host := q.jobs[i].call.target.url.Host
				if q.hosts[host] >= q.perHost {
					continue
				}
				q.hosts[host]++
			}
			q.waiting = append(q.waiting[:at], q.waiting[at+1:]...)
			return i, true
		}
		q.freed.Wait()
	}
	return 0, false
}

func (q *queue) done(i int) {
	if q.hosts == nil {
		return
	}
	q.mu.Lock()
	q.hosts[q.jobs[i].call.target.url.Host]--
	q.mu.Unlock()
	q.freed.Broadcast()
}
