package node

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// pass passes requests on to another node, streams included.
func (n *Node) pass(base string, failed func(http.ResponseWriter, *http.Request, error)) http.Handler {
	to, err := url.Parse(base)
	if err != nil {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { failed(w, r, err) })
	}
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = to.Host
			p.Out.Header.Set(passed, n.name())
		},
		Transport: n.toNodes(), FlushInterval: -1, ErrorHandler: failed, ErrorLog: log.New(logWriter{n.log}, "", 0),
	}
}

// toNodes is the way to other nodes. In the clear nothing agrees on HTTP/2, which gRPC needs: there it is used unasked.
func (n *Node) toNodes() http.RoundTripper {
	if n.identity != nil {
		return n.client.HTTP.Transport
	}
	return byProtocol{n.clear, n.client.HTTP.Transport}
}

// etcd passes requests on to etcd: to this node's own member if it votes, else to a node that does.
func (n *Node) etcd() http.Handler {
	own := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "etcd"
			p.Out.Header.Del("Authorization") // ours, not etcd's
		},
		Transport: n.toSocket(), FlushInterval: -1, ErrorHandler: etcdFailed, ErrorLog: log.New(logWriter{n.log}, "", 0),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if server, open := n.seat.through(); server != nil {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			// Its context does not end a stream whose request goes on: HTTP/2 waits there for the client to say more.
			defer context.AfterFunc(open, func() { cancel(); _ = r.Body.Close() })()
			own.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		for _, v := range n.picture.view().Voters() {
			if v.Name != n.name() && r.Header.Get(passed) == "" {
				n.pass(v.ClientURL, etcdFailed).ServeHTTP(w, r)
				return
			}
		}
		etcdFailed(w, r, errors.New("this node knows none that votes"))
	})
}

// toSocket is the way to this node's own member, whichever it is at the time.
func (n *Node) toSocket() http.RoundTripper {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		server, _ := n.seat.member()
		if server == nil {
			return nil, errors.New("this node has no member of the store")
		}
		return new(net.Dialer).DialContext(ctx, "unix", server.Socket())
	}
	grpc := &http.Transport{DialContext: dial, IdleConnTimeout: time.Minute, Protocols: new(http.Protocols)}
	grpc.Protocols.SetUnencryptedHTTP2(true)
	plain := &http.Transport{DialContext: dial, IdleConnTimeout: time.Minute, Protocols: new(http.Protocols)}
	plain.Protocols.SetHTTP1(true) // etcd's gateway, /health, /version, /metrics
	return byProtocol{grpc, plain}
}

type byProtocol struct{ grpc, plain http.RoundTripper }

func (b byProtocol) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		return b.grpc.RoundTrip(r)
	}
	return b.plain.RoundTrip(r)
}

// etcdFailed answers as a gRPC client understands, and others too.
func etcdFailed(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "14") // UNAVAILABLE
		w.Header().Set("Grpc-Message", url.PathEscape(err.Error()))
		return
	}
	http.Error(w, err.Error(), http.StatusBadGateway)
}
