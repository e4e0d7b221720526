package httpc

import (
	"net"
	"runtime"
	"testing"
	"time"
)

// flood answers every head on a connection without allocating.
func flood(c *net.TCPConn, _ int) {
	b := make([]byte, 4096)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		if _, err := c.Write([]byte(okay)); err != nil {
			return
		}
	}
}

func usual(t testing.TB, base string) *Request {
	return &Request{Method: "GET", URL: parsed(t, base+"/a?b=c"), Header: []Field{{"User-Agent", "throng"}, {"Accept", "*/*"}}, Timeout: time.Minute}
}

func TestNoAllocationPerExchange(t *testing.T) {
	base := server(t, flood)
	for _, prepared := range []bool{false, true} {
		c, req, r := client(t, Config{}), usual(t, base), new(Response)
		if prepared {
			if err := req.Prepare(); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(200, func() {
			if err := c.Do(req, r); err != nil || r.Status != 200 {
				t.Fatal(err)
			}
		}); n >= 1 && !racing {
			t.Errorf("prepared %v: %v allocations per exchange", prepared, n)
		}
	}
}

func BenchmarkExchange(b *testing.B) {
	base := server(b, flood)
	c, req, r := client(b, Config{}), usual(b, base), new(Response)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Do(req, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExchangeParallel(b *testing.B) {
	base := server(b, flood)
	s := NewShared(Config{})
	b.ReportAllocs()
	b.SetParallelism(25)
	b.RunParallel(func(pb *testing.PB) {
		c, req, r := s.NewClient(), usual(b, base), new(Response)
		defer c.Close()
		for pb.Next() {
			if err := c.Do(req, r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkIdleClient tells what a client weighs: before its first exchange, and with one idle connection (both ends of
// it, and the server's goroutine with its 4 KiB, are in this process).
func BenchmarkIdleClient(b *testing.B) {
	const n = 300
	for _, connected := range []bool{false, true} {
		name := "fresh"
		if connected {
			name = "connected"
		}
		b.Run(name, func(b *testing.B) {
			base := server(b, flood)
			s := NewShared(Config{})
			req := usual(b, base)
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				clients := make([]*Client, n)
				for i := range clients {
					clients[i] = s.NewClient()
					if connected {
						var r Response
						if err := clients[i].Do(req, &r); err != nil {
							b.Fatal(err)
						}
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/n, "heapB/client")
				for _, c := range clients {
					c.Close()
				}
			}
		})
	}
}
