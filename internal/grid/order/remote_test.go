package order

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/beat"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/run"
)

// node answers orders as f says; an order that it answers with errDown finds nobody at home.
type node struct {
	f func(name string, req Request) (Reply, error)

	mu    sync.Mutex
	given []string
}

var errDown = errors.New("down")

func (n *node) RoundTrip(r *http.Request) (*http.Response, error) {
	words := strings.Split(r.URL.Path, "/")
	name := words[len(words)-1]
	n.mu.Lock()
	n.given = append(n.given, name)
	n.mu.Unlock()
	var req Request
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		return nil, err
	}
	type answer struct {
		reply Reply
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		reply, err := n.f(name, req)
		got <- answer{reply, err}
	}()
	select {
	case a := <-got:
		if errors.Is(a.err, errDown) {
			return nil, a.err
		}
		w := httptest.NewRecorder()
		courier.Handler(func(*http.Request) (any, error) { return a.reply, a.err }).ServeHTTP(w, r)
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// orders are the names of those that were given.
func (n *node) orders() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.given)
}

func remote(n *node, phase beat.Phase) *Remote { return ledBy(context.Background(), n, phase) }

func ledBy(reign context.Context, n *node, phase beat.Phase) *Remote {
	return NewRemote(RemoteConfig{
		Reign: reign,
		Run:   "r", Part: "0", Node: "h1", URL: func() string { return "http://h1" }, Client: &courier.Client{HTTP: &http.Client{Transport: n}}, Term: 3,
		Heard: func() (beat.Heard, bool) { return beat.Heard{Report: beat.Report{Phase: phase}}, true },
	})
}

func TestABrokenConnectionIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		n := &node{f: func(string, Request) (Reply, error) {
			if tries++; tries < 5 {
				return Reply{}, errDown
			}
			return Reply{Data: []byte("done")}, nil
		}}
		if data, err := remote(n, beat.Ready).Setup(t.Context()); string(data) != "done" || err != nil || tries != 5 {
			t.Errorf("%q, %v after %d tries", data, err, tries)
		}
	})
}

func TestALossEndsEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{f: func(string, Request) (Reply, error) { return Reply{}, errDown }}
		r := remote(n, beat.Running)
		got := make(chan error)
		go func() { got <- r.Run(t.Context(), run.Begin{}) }()
		time.Sleep(5 * time.Second)
		if !r.Lose(errors.New("it burns")) || r.Lose(errors.New("it still burns")) {
			t.Error("not lost once")
		}
		for _, err := range []error{<-got, r.Teardown(t.Context(), nil)} {
			if !errors.Is(err, run.ErrLost) || !strings.Contains(err.Error(), "it burns") {
				t.Errorf("ended with %v", err)
			}
		}
	})
}

// TestTheEndOfAReignEndsEveryCall has a user stop the run, of which a silent node hears nothing, before another leader is elected: the old one
// must not wait for a node of which it will never learn that it is lost.
func TestTheEndOfAReignEndsEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reign, depose := context.WithCancelCause(t.Context())
		user, stop := context.WithCancelCause(reign)
		r := ledBy(reign, &node{f: func(string, Request) (Reply, error) { return Reply{}, errDown }}, beat.Running)
		got := make(chan error)
		go func() { got <- r.Run(user, run.Begin{}) }()
		time.Sleep(time.Second)
		stop(errors.New("a user stops it"))
		time.Sleep(time.Second)
		depose(cluster.ErrDeposed)
		if err := <-got; !errors.Is(err, cluster.ErrDeposed) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestAnAnswerThatItIsGoneIsALoss(t *testing.T) {
	r := remote(&node{f: func(string, Request) (Reply, error) { return Reply{}, run.ErrLost }}, beat.Running)
	if err := r.Run(t.Context(), run.Begin{}); !errors.Is(err, run.ErrLost) {
		t.Error(err)
	}
	r = remote(&node{f: func(string, Request) (Reply, error) { return Reply{}, nil }}, beat.Yielded)
	if err := r.Run(t.Context(), run.Begin{}); !errors.Is(err, run.ErrLost) {
		t.Errorf("a part that has yielded: %v", err)
	}
}

func TestTheEndOfTheCallStopsTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan error, 1)
		n := &node{}
		n.f = func(name string, req Request) (Reply, error) {
			if name == Stop {
				if req.Of != Run {
					t.Errorf("stop of %s", req.Of)
				}
				stopped <- req.Cause.Err()
				return Reply{}, nil
			}
			err := <-stopped
			time.Sleep(time.Second) // the graceful end
			return Reply{}, err
		}
		why := fault.New(fault.Interrupted, errors.New("told to"))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(why) })
		began := time.Now()
		err := remote(n, beat.Ended).Run(ctx, run.Begin{})
		if err == nil || err.Error() != "told to" || fault.KindOf(err) != fault.Interrupted || time.Since(began) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestADeposedConductorStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{f: func(name string, _ Request) (Reply, error) {
			time.Sleep(time.Minute)
			return Reply{}, nil
		}}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cluster.ErrDeposed) })
		if err := remote(n, beat.Running).Run(ctx, run.Begin{}); !errors.Is(err, cluster.ErrDeposed) {
			t.Errorf("ended with %v", err)
		}
		time.Sleep(2 * time.Minute)
		if len(n.orders()) != 1 || n.orders()[0] != Run {
			t.Errorf("ordered: %v", n.orders())
		}
	})
}

func TestWhatAScriptDoesWrongNamesItsNode(t *testing.T) {
	wrong := fault.WithHint(fault.ScriptException, errors.New("stopped before the memory ran out"), "fewer VUs")
	r := remote(&node{f: func(string, Request) (Reply, error) { return Reply{}, wrong }}, beat.Running)
	_, serr := r.Setup(t.Context())
	for _, err := range []error{serr, r.Run(t.Context(), run.Begin{}), r.Teardown(t.Context(), nil)} {
		if err == nil || err.Error() != "node h1: stopped before the memory ran out" || fault.KindOf(err) != fault.ScriptException || fault.HintOf(err) != "fewer VUs" {
			t.Errorf("%v", err)
		}
	}
	aborted := fault.New(fault.ScriptAborted, errors.New("test aborted"))
	r = remote(&node{f: func(string, Request) (Reply, error) { return Reply{}, aborted }}, beat.Running)
	if err := r.Run(t.Context(), run.Begin{}); err == nil || err.Error() != "test aborted" {
		t.Errorf("what it did on purpose: %v", err)
	}
}
