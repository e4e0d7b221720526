package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"syscall"
	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
)

// hosts answer by name; one that is not there refuses, one with a nil handler says nothing.
type hosts struct {
	mu   sync.Mutex
	by   map[string]http.Handler
	seen []string
}

func (h *hosts) set(name string, f http.Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.by[name] = f
}

func (h *hosts) drop(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, name)
}

func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	f, there := h.by[r.URL.Host]
	h.seen = append(h.seen, r.URL.Host)
	h.mu.Unlock()
	switch {
	case !there:
		return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	case f == nil:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result(), nil
}

func grid(h *hosts, names ...string) *Grid {
	var bases []string
	for _, n := range names {
		bases = append(bases, "http://"+n)
	}
	return New(courier.Client{HTTP: &http.Client{Transport: h}}, bases)
}

func answer(v any, err error) http.Handler {
	return courier.Handler(func(*http.Request) (any, error) { return v, err })
}

func TestAnyNodeWillDo(t *testing.T) {
	for _, tt := range []struct {
		name string
		by   map[string]http.Handler
	}{
		{"the first is dead", map[string]http.Handler{"b": answer("yes", nil)}},
		{"the first says nothing", map[string]http.Handler{"a": nil, "b": answer("yes", nil)}},
		{"the first does not know who leads", map[string]http.Handler{"a": answer(nil, courier.ErrNotLeader), "b": answer("yes", nil)}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &hosts{by: tt.by}
			g := grid(h, "a", "b")
			for range 2 {
				var out string
				if err := g.JSON(t.Context(), "GET", "/x", nil, &out); err != nil || out != "yes" {
					t.Errorf("%s: %q, %v", tt.name, out, err)
				}
			}
			if want := []string{"a", "b", "b"}; !slices.Equal(h.seen, want) {
				t.Errorf("%s: asked %v, want %v", tt.name, h.seen, want)
			}
		})
	}
}

func TestAnElectionIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hosts{by: map[string]http.Handler{"a": answer(nil, courier.ErrNotLeader), "b": answer(nil, cluster.ErrDeposed)}}
		time.AfterFunc(3*time.Second, func() { h.set("b", answer("yes", nil)) })
		began := time.Now()
		if err := grid(h, "a", "b").JSON(t.Context(), "GET", "/x", nil, nil); err != nil || time.Since(began) > 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestNobodyAtHomeIsSaidAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := grid(&hosts{}, "a", "b").JSON(t.Context(), "GET", "/x", nil, nil)
		if err == nil || fault.HintOf(err) == "" || !errors.Is(err, courier.ErrRefused) || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		refused := errors.New("no such run")
		if err := grid(&hosts{by: map[string]http.Handler{"a": answer(nil, refused)}}, "a", "b").JSON(t.Context(), "GET", "/x", nil, nil); err == nil || err.Error() != refused.Error() {
			t.Errorf("an answer that is an error: %v", err)
		}
	})
}

func TestAClientLearnsTheOtherNodes(t *testing.T) {
	v := cluster.View{Nodes: []cluster.NodeState{
		{Node: cluster.Node{ClientURL: "http://a"}, Alive: true}, {Node: cluster.Node{ClientURL: "http://b"}, Alive: true}, {Node: cluster.Node{ClientURL: "http://c"}},
	}}
	h := &hosts{by: map[string]http.Handler{"a": answer(v, nil)}}
	g := grid(h, "a")
	if _, err := g.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.drop("a")
	h.set("b", answer("yes", nil))
	if err := g.JSON(t.Context(), "GET", "/x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestABlobIsSentAgainFromItsBeginning(t *testing.T) {
	var got string
	h := &hosts{by: map[string]http.Handler{"b": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
		_, _ = io.WriteString(w, strings.Repeat("ab", 32))
	})}}
	digest, err := grid(h, "a", "b").Send(t.Context(), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("all of it")), nil })
	if err != nil || got != "all of it" || len(digest) != 64 {
		t.Errorf("%s, %q, %v", digest, got, err)
	}
}

// stream answers follow with these events.
func stream(events ...desk.Event) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/follow") {
			_, _ = io.WriteString(w, `{"state":"running"}`)
			return
		}
		for _, e := range events {
			_ = json.NewEncoder(w).Encode(e)
		}
	})
}

func TestEveryEventIsToldOnceWhoeverLeads(t *testing.T) {
	line := func(n int64, text string) desk.Event { return desk.Event{N: n, Line: &beat.Line{Text: text}} }
	synctest.Test(t, func(t *testing.T) {
		h := &hosts{by: map[string]http.Handler{}}
		h.set("a", stream(desk.Event{Feed: "1"}, line(0, "a"), line(1, "b")))
		time.AfterFunc(100*time.Millisecond, func() { h.set("a", stream(desk.Event{Feed: "1"}, line(1, "b"), line(2, "c"))) })
		time.AfterFunc(700*time.Millisecond, func() {
			h.drop("a")
			h.set("b", stream(desk.Event{Feed: "2"}, line(0, "d"), desk.Event{}, desk.Event{Over: true}))
		})
		var told []string
		err := grid(h, "a", "b").Follow(t.Context(), "r", false, func(e desk.Event) {
			if e.Line != nil {
				told = append(told, e.Line.Text)
			}
		})
		if err != nil || strings.Join(told, "") != "abcd" {
			t.Errorf("told %v, %v", told, err)
		}
	})
}

// A node that has just started again knows neither who asks nor what there is; that is no answer, however long it takes.
func TestAGridThatStartsAgainIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := answer(nil, &courier.Status{Code: http.StatusServiceUnavailable, Err: errors.New("look up the token: no store is reached yet")})
		h := &hosts{by: map[string]http.Handler{}}
		h.set("a", stream(desk.Event{Feed: "1"}))
		const between = 7 * time.Millisecond // so that nothing happens at the instant of a call
		time.AfterFunc(10*time.Second+between, func() { h.drop("a") })
		time.AfterFunc(15*time.Second+between, func() { h.set("b", starts) })
		time.AfterFunc(8*time.Minute+between, func() { h.set("b", stream(desk.Event{Feed: "2"}, desk.Event{Over: true})) })
		var told []string
		err := grid(h, "a", "b").Follow(t.Context(), "r", false, func(e desk.Event) {
			if e.Line != nil {
				told = append(told, e.Line.Text)
			}
		})
		if err != nil || len(told) != 1 || !strings.Contains(told[0], "waiting") {
			t.Errorf("told %q, %v", told, err)
		}
	})
}

// Whose token is revoked while he follows must not think that the run has ended.
func TestWhoIsShutOutIsToldThatTheRunGoesOn(t *testing.T) {
	revoked := answer(nil, &courier.Status{Code: http.StatusUnauthorized, Err: errors.New("the token was revoked")})
	for first, want := range map[bool]string{true: "throng attach r", false: ""} {
		synctest.Test(t, func(t *testing.T) {
			h := &hosts{by: map[string]http.Handler{"a": revoked}}
			if first {
				h.set("a", stream(desk.Event{Feed: "1"}))
				time.AfterFunc(10*time.Second+7*time.Millisecond, func() { h.set("a", revoked) })
			}
			err := grid(h, "a").Follow(t.Context(), "r", false, func(desk.Event) {})
			if hint := fault.HintOf(err); err == nil || err.Error() != "the token was revoked" || !strings.Contains(hint, want) || want == "" && hint != "" {
				t.Errorf("followed before: %v: %v, hint %q", first, err, hint)
			}
		})
	}
}

func TestFollowingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		if err := grid(&hosts{by: map[string]http.Handler{"a": nil}}, "a").Follow(ctx, "r", false, func(desk.Event) {}); !errors.Is(err, why) {
			t.Errorf("ended with %v", err)
		}
	})
}
