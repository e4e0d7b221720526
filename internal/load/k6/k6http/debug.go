package k6http

import (
	"crypto/rand"
	"fmt"
	"strings"

	"throng/internal/load/httpc"
)

// The option httpDebug writes each request and response to the log as they look in HTTP/1.1, with "full" their bodies
// too.
const debugFull = "full"

func (s *shared) dumpRequest(h *hop, req *httpc.Request, sender []any) {
	host := req.Host
	if host == "" {
		host = h.target.url.Host
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\nHost: %s\n", h.method, h.target.url.RequestURI(), host)
	for _, f := range req.Header {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	if len(req.Body) > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\n", len(req.Body))
	}
	b.WriteString("\n")
	if s.debug == debugFull {
		b.Write(req.Body)
	}
	s.test.Log.Info("Request:\n"+b.String()+"\n", sender...)
}

func (s *shared) dumpResponse(r *response, sender []any) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.wire.Proto, r.wire.StatusText)
	for name, value := range r.wire.Header.Each() {
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	b.WriteString("\n")
	if s.debug == debugFull {
		b.Write(r.wire.Body)
	}
	s.test.Log.Info("Response:\n"+b.String()+"\n", sender...)
}

// sender says whose request it is, and which: request and response bear the same number.
func (c *client) sender() []any {
	attrs := []any{"source", "http-debug", "request_id", rand.Text(), "vu", c.vu.ID, "iter", c.vu.Iteration, "group", c.vu.Group}
	if c.vu.Scenario != nil {
		attrs = append(attrs, "scenario", c.vu.Scenario.Name)
	}
	return attrs
}
