package node

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"throng/internal/grid/beat"
	"throng/internal/grid/board"
	"throng/internal/grid/client"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
	"throng/internal/grid/order"
	"throng/internal/grid/trust"
)

// server is the node's one address.
func (n *Node) server() *http.Server {
	s := &http.Server{
		Handler: n.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(logWriter{n.log}, "", 0),
		HTTP2:    spare(http.HTTP2Config{MaxConcurrentStreams: 10_000, SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second}),
	}
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	if n.identity == nil {
		s.Protocols.SetUnencryptedHTTP2(true)
		return s
	}
	s.Protocols.SetHTTP2(true)
	if cfg, err := n.identity.ServerTLS(); err == nil { // else there would be no identity
		s.TLSConfig = cfg
	}
	return s
}

// spare has a connection keep little: a leader has two to every node, and over each of them the same few small requests go, once a
// second. A frame is read into a buffer that stays, and a table of headers seen saves nothing between neighbours.
func spare(c http.HTTP2Config) *http.HTTP2Config {
	c.MaxReadFrameSize = 16 << 10                                   // the smallest there is
	c.MaxDecoderHeaderTableSize, c.MaxEncoderHeaderTableSize = 1, 1 // 0 would be the default, 4 KiB
	return &c
}

// logWriter takes net/http's own complaints, which are mostly of strangers' handshakes.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(b []byte) (int, error) {
	w.log.Debug(strings.TrimSpace(string(b)))
	return len(b), nil
}

// handler tells who calls and what he may.
func (n *Node) handler() http.Handler {
	mux := http.NewServeMux()
	looks := []trust.Role{trust.Viewer, trust.Operator, trust.Node}
	orders := []trust.Role{trust.Operator, trust.Node}
	nodes := []trust.Role{trust.Node}

	mux.Handle("POST "+joinPath, allow(n.byLeader(courier.Handler(n.admit)), trust.Join))
	mux.Handle("GET "+whoPath, allow(courier.Handler(n.who), nodes...))
	mux.Handle("POST "+renewPath, fromStrangers(courier.Handler(n.signRenewal))) // the renewal itself proves who asks
	mux.Handle("GET "+authorityPath, allow(courier.Handler(n.handAuthority), nodes...))
	mux.Handle("GET "+client.ViewPath, allow(n.viewHandler(), looks...))
	mux.Handle("POST "+gridPath, allow(n.byLeader(n.gridHandler()), orders...))
	mux.Handle("GET "+SnapshotPath, allow(n.snapshotHandler(), orders...))
	mux.Handle("GET "+tokensPath, allow(courier.Handler(n.listTokens), orders...))
	mux.Handle("POST "+tokensPath, allow(courier.Handler(n.createToken), orders...))
	mux.Handle("DELETE "+tokensPath+"/{id}", allow(courier.Handler(n.revokeToken), orders...))
	mux.Handle(beat.Path, allow(n.receiver, nodes...))
	mux.Handle(beat.HeardPath, allow(n.receiver.HeardHandler(), nodes...))
	mux.Handle(order.Path, allow(n.worker, nodes...))
	mux.Handle("GET "+courier.BlobPath, allow(n.depot, nodes...))
	mux.Handle("PUT "+courier.BlobPath, allow(n.depot, orders...))
	mux.Handle("POST "+board.Path, allow(n.byLeader(n.boards), nodes...))
	mux.Handle("POST "+board.CopyPath, allow(n.boards, nodes...))
	mux.Handle(courier.FetchPath, allow(courier.FetchHandler(n.client, n.depot, n.addressOf), nodes...))
	runs := n.runsHandler()
	mux.Handle("POST "+order.LinesPath, allow(n.byLeader(runs), nodes...))
	for _, path := range []string{desk.RunsPath, desk.RunsPath + "/"} {
		mux.Handle("GET "+path, allow(runs, looks...))
		mux.Handle("POST "+path, allow(runs, orders...))
	}
	mux.Handle("/throng/", courier.Handler(func(r *http.Request) (any, error) {
		return nil, &courier.Status{Code: http.StatusNotFound, Err: fmt.Errorf("there is no %s %s", r.Method, r.URL.Path)}
	}))
	mux.Handle("/", allow(n.etcd(), orders...))
	if n.identity == nil {
		return trust.LoopbackOnly(mux)
	}
	return trust.Authenticate(n.vouched(mux), n.tokens.Lookup, time.Now, refuse)
}

func refuse(w http.ResponseWriter, err error) {
	courier.WriteError(w, &courier.Status{Code: trust.Status(err), Err: err})
}

// allow lets callers with one of the roles through.
func allow(next http.Handler, roles ...trust.Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := trust.Allow(trust.CallerOf(r.Context()), roles...); err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (n *Node) addressOf(node string) string {
	return n.picture.address(node)
}

// passed marks a request that another node has passed on: it is not passed on again.
const passed = "Throng-Passed"

// byLeader has the leader answer. The caller's token goes with the request; a node's certificate does not, so what only nodes may
// ask is asked of the leader itself.
func (n *Node) byLeader(own http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := n.leads(); ok {
			own.ServeHTTP(w, r)
			return
		}
		v := n.picture.view()
		leader, ok := v.Find(v.Leader.Name)
		if !ok || leader.Name == n.name() || r.Header.Get(passed) != "" {
			courier.WriteError(w, courier.ErrNotLeader)
			return
		}
		n.pass(leader.ClientURL, func(w http.ResponseWriter, r *http.Request, err error) {
			courier.WriteError(w, fmt.Errorf("%w: %s does not answer: %w", courier.ErrNotLeader, leader.Name, err))
		}).ServeHTTP(w, r)
	})
}

// viewHandler tells how the grid is, by the leader if there is one that answers soon, else as this node sees it.
func (n *Node) viewHandler() http.Handler {
	own := courier.Handler(func(*http.Request) (any, error) { return n.picture.view(), nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := n.picture.view()
		leader, ok := v.Find(v.Leader.Name)
		if _, leads := n.leads(); leads || !ok || leader.Name == n.name() || r.Header.Get(passed) != "" {
			own.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		n.pass(leader.ClientURL, func(w http.ResponseWriter, r *http.Request, _ error) { own.ServeHTTP(w, r) }).ServeHTTP(w, r.WithContext(ctx))
	})
}

// runsHandler answers for runs; what only the leader can answer is passed on to it.
func (n *Node) runsHandler() http.Handler {
	own := n.desk.Handler(func(r *http.Request) string { return trust.CallerOf(r.Context()).String() })
	led := n.byLeader(own)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if desk.ToLeader(r) {
			led.ServeHTTP(w, r)
			return
		}
		own.ServeHTTP(w, r)
	})
}
