package node

import (
	"errors"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
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
	if n.o.foreign() {
		return http.HandlerFunc(notOurs)
	}
	own := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "etcd"
			p.Out.Header.Del("Authorization") // ours, not etcd's
		},
		Transport: byProtocol{n.seat.grpc, n.seat.plain}, FlushInterval: -1, ErrorHandler: etcdFailed, ErrorLog: log.New(logWriter{n.log}, "", 0),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d := n.seat.enter(); d != nil {
			d.pass(own, w, r)
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

// etcdFailed answers as a gRPC client understands, and others too.
func etcdFailed(w http.ResponseWriter, r *http.Request, err error) {
	if isGRPC(r) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "14") // UNAVAILABLE
		w.Header().Set("Grpc-Message", url.PathEscape(err.Error()))
		return
	}
	http.Error(w, err.Error(), http.StatusBadGateway)
}
