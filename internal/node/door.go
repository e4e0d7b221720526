package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"throng/internal/grid/cluster/etcdstore"
)

// door is what requests to our member pass. When it is shut, those under way end, too: etcd would wait for them before it stops, and
// a member that is removed would keep their watches in the dark.
type door struct {
	server *etcdstore.Server
	ctx    context.Context
	close  context.CancelFunc
	within sync.WaitGroup
}

// open lets requests through to member.
func (s *seat) open(member keeper) {
	server, ok := member.(*etcdstore.Server)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.door != nil && s.door.server == server {
		return
	}
	if s.door != nil {
		s.door.close()
	}
	d := &door{server: server}
	d.ctx, d.close = context.WithCancel(context.Background())
	s.door = d
}

// shut ends the requests that are under way, and lets no more through. It waits for them, but not for long.
func (s *seat) shut() {
	s.mu.Lock()
	d := s.door
	s.door = nil
	s.mu.Unlock()
	if d == nil {
		return
	}
	d.close()
	out := make(chan struct{})
	go func() { d.within.Wait(); close(out) }()
	select {
	case <-out:
	case <-time.After(500 * time.Millisecond):
	}
	// etcd gives connections that are left open a second.
	s.grpc.CloseIdleConnections()
	s.plain.CloseIdleConnections()
}

// enter returns the door for a request, which calls leave when it is done; nil while it is shut.
func (s *seat) enter() *door {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.door != nil {
		s.door.within.Add(1)
	}
	return s.door
}

func (d *door) leave() { d.within.Done() }

// pass has next answer a request through the door.
func (d *door) pass(next http.Handler, w http.ResponseWriter, r *http.Request) {
	defer d.leave()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	// Its context does not end a stream whose request goes on: HTTP/2 waits there for the client to say more.
	defer context.AfterFunc(d.ctx, func() { cancel(); _ = r.Body.Close() })()
	next.ServeHTTP(w, r.WithContext(ctx))
}

// toMember are the ways to the socket of this node's member, whichever it is at the time: for gRPC, and for all else.
func (s *seat) toMember() (grpc, plain *http.Transport) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		member, _ := s.member()
		server, ok := member.(*etcdstore.Server)
		if !ok {
			return nil, errors.New("this node has no member of the store")
		}
		return new(net.Dialer).DialContext(ctx, "unix", server.Socket())
	}
	grpc = &http.Transport{DialContext: dial, IdleConnTimeout: time.Minute, Protocols: new(http.Protocols)}
	grpc.Protocols.SetUnencryptedHTTP2(true)
	plain = &http.Transport{DialContext: dial, IdleConnTimeout: time.Minute, Protocols: new(http.Protocols)}
	plain.Protocols.SetHTTP1(true) // etcd's gateway, /health, /version, /metrics
	return grpc, plain
}

// byProtocol sends gRPC one way and all else another.
type byProtocol struct{ grpc, plain http.RoundTripper }

func (b byProtocol) RoundTrip(r *http.Request) (*http.Response, error) {
	if isGRPC(r) {
		return b.grpc.RoundTrip(r)
	}
	return b.plain.RoundTrip(r)
}

func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}
