package k6http

import (
	"fmt"
	"hash/maphash"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"throng/internal/load/httpc"
	"throng/internal/metric"
)

// target is a URL ready for use. It never changes, so all virtual users share it.
type target struct {
	raw   string
	url   *url.URL
	text  string // as net/url writes it
	clean string // text with user and password hidden: the tags url and name
	wire  *httpc.URL
	err   error // why raw is no URL
	calls atomic.Pointer[[]*call]
}

// maxCalls bounds the calls that are shared for one URL: methods, times tags (of groups and scenarios).
const maxCalls = 8

// known returns a call that another virtual user has made, or nil.
func (t *target) known(method string, tags *metric.TagSet, callback *statuses) *call {
	if all := t.calls.Load(); all != nil {
		for _, q := range *all {
			if q.same(method, tags, callback) {
				return q
			}
		}
	}
	return nil
}

// keep shares q with the others, if there is room.
func (t *target) keep(q *call) {
	old := t.calls.Load()
	var all []*call
	if old != nil {
		all = *old
	}
	if len(all) < maxCalls {
		all = append(slices.Clone(all), q)
		t.calls.CompareAndSwap(old, &all) // whoever comes second keeps its own
	}
}

func newTarget(raw string) *target {
	u, err := url.Parse(raw)
	if err != nil {
		return &target{raw: raw, err: fmt.Errorf("invalid URL: %w", err)}
	}
	t := targetOf(u)
	t.raw = raw
	return t
}

func targetOf(u *url.URL) *target {
	t := &target{url: u, text: u.String()}
	t.raw, t.clean = t.text, t.text
	if u.User != nil {
		hidden := *u
		hidden.User = url.UserPassword("*", "*")
		t.clean = strings.Replace(hidden.String(), "//%2A:%2A@", "//****:****@", 1)
		t.clean = strings.Replace(t.clean, "//*:*@", "//****:****@", 1)
	}
	t.wire = httpc.FromURL(u)
	return t
}

// targets keeps the URLs that scripts have used. Each shard is emptied when it is full: a script with endless URLs
// costs a parse per request and no more memory.
type targets struct {
	seed   maphash.Seed
	shards [64]struct {
		sync.RWMutex
		m map[string]*target
	}
}

const maxTargetsPerShard = 128

func (t *targets) get(raw string, hash uint64) *target {
	sh := &t.shards[hash%uint64(len(t.shards))]
	sh.RLock()
	got := sh.m[raw]
	sh.RUnlock()
	if got != nil {
		return got
	}
	if len(raw) > 2048 {
		return newTarget(raw)
	}
	raw = strings.Clone(raw) // it may be a piece of something big
	got = newTarget(raw)
	sh.Lock()
	defer sh.Unlock()
	if sh.m == nil {
		sh.m = map[string]*target{}
	} else if len(sh.m) >= maxTargetsPerShard {
		clear(sh.m)
	}
	sh.m[raw] = got
	return got
}

func (s *shared) target(raw string) *target {
	return s.targets.get(raw, maphash.String(s.targets.seed, raw))
}
