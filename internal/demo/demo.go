package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

//go:embed demo.js
var script []byte

// Script returns the example test: the name it is shown under, and its source. It finds its target in __ENV.BASE_URL.
func Script() (name string, source []byte) {
	return "demo.js", append([]byte(nil), script...)
}

// Server is a demo target that listens already and answers once Run is called.
type Server struct {
	listener net.Listener
	server   *http.Server
}

// Listen opens addr ("127.0.0.1:0" lets the system choose a port). The error is net.Listen's, with the address in it.
func Listen(addr string) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the demo server: %w", err)
	}
	return &Server{listener: l, server: &http.Server{
		Handler:           Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// A load test breaks connections by the thousand; each is the client's news to tell, not ours.
		ErrorLog: log.New(discard{}, "", 0),
	}}, nil
}

// URL is where the server is found, without a slash at the end. A server that listens on every address is named by its
// loopback one.
func (s *Server) URL() string {
	a, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return "http://" + s.listener.Addr().String()
	}
	host := a.IP.String()
	if a.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(a.Port))
}

// Run answers requests until ctx is done, then closes every connection and returns nil once the server has stopped.
// It may be called once.
func (s *Server) Run(ctx context.Context) error {
	stopped := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(stopped)
		_ = s.server.Close() // the only error is the listener's, which we are done with
	})
	err := s.server.Serve(s.listener)
	if !unhook() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close gives the address back without Run having been called.
func (s *Server) Close() error { return s.listener.Close() }

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
