package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throng/internal/grid/client"
	"throng/internal/grid/cluster"
	"throng/internal/grid/courier"
	"throng/internal/grid/trust"
)

// lab is a grid of real nodes in this process, each with its embedded etcd, on ports of loopback that the system chose.
type lab struct {
	t        *testing.T
	dir      string
	host     string
	insecure bool
	ideal    int
	given    map[string]bool // addresses

	mu    sync.Mutex // guards what follows
	nodes map[string]*inLab
	log   strings.Builder
	// ways are the operator's connections by pin: a handshake for each look would be most of what a lab costs.
	ways map[string]*http.Transport
}

// inLab is one node; it keeps its addresses from one life to the next.
type inLab struct {
	o    Options
	stop context.CancelFunc // nil while it does not run
	done chan struct{}      // closed when its life has ended
	err  error              // then: what it ended with
}

func newLab(t *testing.T, ideal int) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), host: ownLoopback(), ideal: ideal, given: map[string]bool{}, nodes: map[string]*inLab{}, ways: map[string]*http.Transport{}}
	t.Cleanup(func() {
		for _, w := range l.ways {
			w.CloseIdleConnections()
		}
		for name := range l.nodes {
			l.halt(name)
		}
		if t.Failed() {
			t.Log(l.logged())
		}
	})
	return l
}

// ownLoopback is an address that no other test uses, where loopback has more than one.
func ownLoopback() string {
	host := fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(128), rand.IntN(256), 1+rand.IntN(254))
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "127.0.0.1"
	}
	defer l.Close()
	return host
}

// Write takes the nodes' logs.
func (l *lab) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(b)
}

func (l *lab) logged() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

func (l *lab) said(words string) bool { return strings.Contains(l.logged(), words) }

// address is one that nobody else has: a port on an address of loopback of its own, so that no connection is given it meanwhile.
func (l *lab) address() string {
	l.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(l.host, "0"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	if l.given[address] { // to a node that does not listen yet
		return l.address()
	}
	l.given[address] = true
	scheme := map[bool]string{true: "http://", false: "https://"}[l.insecure]
	return scheme + address
}

// options are those of a node, made once.
func (l *lab) options(name string, change ...func(*Options)) *inLab {
	n, ok := l.nodes[name]
	if !ok {
		n = &inLab{o: Options{
			Hostname: name, DataDir: filepath.Join(l.dir, name), ClientURL: l.address(), ServerURL: l.address(), Ideal: l.ideal,
			Insecure: l.insecure, Version: "test", Out: io.Discard,
			Log: slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name),
		}}
		l.nodes[name] = n
	}
	for _, c := range change {
		c(&n.o)
	}
	return n
}

// start starts a node; seeds are the names of others.
func (l *lab) start(name string, seeds ...string) *inLab {
	l.t.Helper()
	return l.startAs(name, func(o *Options) {
		o.Seeds = nil
		for _, s := range seeds {
			o.Seeds = append(o.Seeds, l.options(s).o.ClientURL)
		}
		if len(seeds) > 0 && !l.insecure {
			o.TokenFile = filepath.Join(l.dir, "h1", "join.token")
		}
	})
}

func (l *lab) startAs(name string, change ...func(*Options)) *inLab {
	l.t.Helper()
	n := l.options(name, change...)
	if n.stop != nil {
		l.t.Fatalf("%s runs already", name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stop, n.done = cancel, make(chan struct{})
	o := n.o // a life of its own: Validate fills it
	go func() {
		defer close(n.done)
		n.err = Run(ctx, o)
		if n.err != nil {
			o.Log.Error("the node ended: " + n.err.Error())
		}
	}()
	return n
}

// halt ends a node's life in good order, and returns how long that took.
func (l *lab) halt(name string) time.Duration {
	l.t.Helper()
	n := l.nodes[name]
	if n.stop == nil {
		return 0
	}
	began := time.Now()
	n.stop()
	<-n.done
	n.stop = nil
	if n.err != nil {
		l.t.Errorf("%s ended with: %v", name, n.err)
	}
	return time.Since(began)
}

// ends waits for a node that ends by itself, and returns its last words.
func (l *lab) ends(name string) error {
	l.t.Helper()
	n := l.nodes[name]
	select {
	case <-n.done:
	case <-time.After(30 * time.Second):
		l.t.Fatalf("%s still runs", name)
	}
	n.stop = nil
	return n.err
}

// until waits for something to become true.
func (l *lab) until(what string, is func() bool) time.Duration {
	l.t.Helper()
	began := time.Now()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for time.Since(began) < 60*time.Second {
		if is() {
			return time.Since(began)
		}
		<-tick.C
		for name, n := range l.nodes {
			if n.stop != nil && n.ended() && n.err != nil {
				l.t.Fatalf("%s: %s ended: %v", what, name, n.err)
			}
		}
	}
	v, err := l.view()
	l.t.Fatalf("%s: not within a minute; %s, %v", what, show(v), err)
	return 0
}

func (n *inLab) ended() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}

// grid is the way of an operator to the nodes that run.
func (l *lab) grid(names ...string) *client.Grid {
	l.t.Helper()
	var addresses []string
	for name, n := range l.nodes {
		if n.stop != nil && (len(names) == 0 || slices.Contains(names, name)) {
			addresses = append(addresses, n.o.ClientURL)
		}
	}
	if l.insecure {
		return client.New(courier.Client{HTTP: &http.Client{}}, addresses)
	}
	token, _, err := trust.ReadToken(filepath.Join(l.dir, "h1", "operator.token"))
	if err != nil {
		return client.New(courier.Client{HTTP: &http.Client{}}, nil) // there is no grid yet
	}
	return client.New(courier.Client{HTTP: &http.Client{Transport: l.way(token.Pin)}, Token: token.Reveal}, addresses)
}

func (l *lab) way(pin string) *http.Transport {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ways[pin] == nil {
		l.ways[pin] = trust.PinnedTransport(pin, time.Now)
	}
	return l.ways[pin]
}

// view asks any node, or those named, how the grid is.
func (l *lab) view(names ...string) (v cluster.View, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = l.grid(names...).JSON(ctx, http.MethodGet, client.ViewPath, nil, &v)
	return v, err
}

// order gives the grid an order.
func (l *lab) order(name string, call GridCall) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return l.grid().JSON(ctx, http.MethodPost, GridPath(name), call, nil)
}

func (l *lab) mustOrder(name string, call GridCall) {
	l.t.Helper()
	if err := l.order(name, call); err != nil {
		l.t.Fatal(err)
	}
}

// voters are the live ones; "" when nobody leads or nobody answers.
func (l *lab) voters(names ...string) string {
	v, err := l.view(names...)
	leader, ok := v.Find(v.Leader.Name)
	if err != nil || !ok || leader.Role != cluster.Voter {
		return ""
	}
	var out []string
	for _, n := range v.Voters() {
		if n.Alive {
			out = append(out, n.Name)
		}
	}
	return strings.Join(out, " ")
}

func (l *lab) vote(want int) time.Duration {
	l.t.Helper()
	return l.until(fmt.Sprintf("%d voters", want), func() bool { return len(strings.Fields(l.voters())) == want && l.settled() })
}

// settled reports whether nobody is on the way in or out.
func (l *lab) settled() bool {
	v, err := l.view()
	return err == nil && !slices.ContainsFunc(v.Nodes, func(n cluster.NodeState) bool { return n.Role == cluster.Learner })
}

func show(v cluster.View) string {
	var out []string
	for _, n := range v.Nodes {
		out = append(out, fmt.Sprintf("%s (%s, alive: %v)", n.Name, n.Role, n.Alive))
	}
	return fmt.Sprintf("led by %q: %s", v.Leader.Name, strings.Join(out, ", "))
}

// up founds a grid of n nodes and waits for its voters.
func (l *lab) up(n int) {
	l.t.Helper()
	l.start("h1")
	l.vote(1)
	for i := 2; i <= n; i++ {
		l.start(fmt.Sprintf("h%d", i), "h1")
	}
	for i := 1; i <= n; i++ { // one that was taken in counts as alive before it is up
		up := fmt.Sprintf("node h%d is up", i)
		l.until(up, func() bool { return l.said(up) })
	}
	want := min(l.ideal, n)
	l.vote(want - 1 + want%2)
	l.until("all are heard", func() bool {
		v, err := l.view()
		return err == nil && len(v.Nodes) == n && !slices.ContainsFunc(v.Nodes, func(n cluster.NodeState) bool { return !n.Alive })
	})
}

// refused checks that an error is one sentence with these words.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there was no error")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not speak of %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q is not one sentence", err)
	}
}

func exists(path ...string) bool {
	_, err := os.Stat(filepath.Join(path...))
	return err == nil
}

// forward is an address in the clear that leads to a unix socket.
func forward(t *testing.T, socket string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	copying := func(to, from net.Conn) { _, _ = io.Copy(to, from); _, _ = to.Close(), from.Close() }
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				_ = in.Close()
				continue
			}
			go copying(in, out)
			go copying(out, in)
		}
	}()
	return "http://" + listener.Addr().String()
}
