package node

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"throng/internal/fault"
)

var errDied = errors.New("it died")

// TestAFoundingIsRepeated ends a founding after each of its steps, and starts the node again on what is there: it is a grid then, that
// another node joins with the token that lies there.
func TestAFoundingIsRepeated(t *testing.T) {
	t.Parallel()
	for _, s := range new(founding).steps() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, 1)
			l.startAs("h1", func(o *Options) {
				o.after = func(step string) error {
					if step == s.name {
						return errDied
					}
					return nil
				}
			})
			if err := l.ends("h1"); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			l.options("h1", func(o *Options) { o.after = nil })
			l.start("h1")
			l.vote(1)
			l.start("h2", "h1")
			l.until("h2 is there", func() bool { return l.alive() == "h1 h2" })
			if exists(markFile(filepath.Join(l.dir, "h1"))) {
				t.Error("the mark is still there")
			}
			l.halt("h1")
			l.start("h1")
			l.vote(1)
		})
	}
}

// TestAFoundingIsRepeatedInAnExternalEtcd covers what a founding leaves there.
func TestAFoundingIsRepeatedInAnExternalEtcd(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	at := l.external()
	l.startAs("h1", func(o *Options) {
		o.EtcdEndpoints = []string{at}
		o.after = func(step string) error { return map[string]error{"records": errDied}[step] }
	})
	if err := l.ends("h1"); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	l.options("h1", func(o *Options) { o.after = nil })
	l.start("h1")
	l.vote(1)
}

// TestAnInterruptedFounderMayJoin starts one again with seeds.
func TestAnInterruptedFounderMayJoin(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	l.up(1)
	l.startAs("h2", func(o *Options) {
		o.after = func(step string) error { return map[string]error{"tokens": errDied}[step] }
	})
	if err := l.ends("h2"); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	l.start("h2", "h1")
	l.until("h2 is there", func() bool { return l.alive() == "h1 h2" })
}

// TestATakenPortCostsNothing has another process at the members' port: the node waits a while for it, ends with one sentence, and has made
// nothing by then. When the port is let go in time, it goes on.
func TestATakenPortCostsNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	at := strings.TrimPrefix(l.options("h1").o.ServerURL, "https://")
	taken, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	l.start("h1")
	err = l.ends("h1")
	refused(t, err, "--server-urls", at, "in use")
	if fault.KindOf(err) != fault.InvalidConfig || exists(l.dir, "h1", "authority") {
		t.Errorf("kind %d; an authority is there: %v", fault.KindOf(err), exists(l.dir, "h1", "authority"))
	}
	if n := strings.Count(l.logged(), "for it to end"); n != 1 {
		t.Errorf("it said %d times that it waits", n)
	}
	l.start("h1")
	l.until("it waits", func() bool { return strings.Count(l.logged(), "for it to end") == 2 })
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	l.vote(1)
}

// TestASuccessorWaits starts a node while the one before it is still there.
func TestASuccessorWaits(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	l.up(1)
	id := l.clusterID()
	o := l.nodes["h1"].o
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	l.until("it waits", func() bool { return l.said("for it to end") })
	l.halt("h1")
	l.nodes["h1"].stop, l.nodes["h1"].done = cancel, make(chan struct{})
	l.vote(1)
	if now := l.clusterID(); now != id {
		t.Errorf("the grid was %s and is %s", id, now)
	}
	l.nodes["h1"].stop = nil
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
