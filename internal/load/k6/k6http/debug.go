package k6http

import (
	"fmt"
	"strings"

	"throng/internal/load/httpc"
)

// The option httpDebug writes each request and response to the log as they look in HTTP/1.1, with "full" their bodies
// too.
const debugFull = "full"

func (s *shared) dumpRequest(h *hop, req *httpc.Request) {
	host := req.Host
	if host == "" {
		host = h.target.url.Host
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", h.method, h.target.url.RequestURI(), host)
	for _, f := range req.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	if len(req.Body) > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(req.Body))
	}
	b.WriteString("\r\n")
	if s.debug == debugFull {
		b.Write(req.Body)
	}
	s.test.Log.Info("Request:\n"+b.String()+"\n", "source", "http-debug")
}

func (s *shared) dumpResponse(r *response) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\r\n", r.wire.Proto, r.wire.StatusText)
	for name, value := range r.wire.Header.Each() {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n")
	if s.debug == debugFull {
		b.Write(r.wire.Body)
	}
	s.test.Log.Info("Response:\n"+b.String()+"\n", "source", "http-debug")
}
