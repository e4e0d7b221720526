package scheduler

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"throng/internal/run"
)

// TestWaitingTakesLittleStack holds what decides how many virtual users fit into a machine: one that waits has the
// smallest stack but one. A goroutine's stack doubles when it is too small, and does not shrink under a wait, so one deep
// excursion of every virtual user would double it for all of them. Where this fails, look for what has put a large frame,
// or one frame too many, above a wait.
func TestWaitingTakesLittleStack(t *testing.T) {
	if racing {
		t.Skip("the race detector's frames are larger")
	}
	const n = 300
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		name, body string
		reached    func(*stage)
	}{
		{"for an answer", fmt.Sprintf(`const r = http.get('http://%s/'); check(r, { 'status is 200': (r) => r.status === 200 });`, l.Addr()), func(*stage) {
			for range n { // no goroutine of the server may count
				c, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				if _, err := io.ReadFull(c, make([]byte, 16)); err != nil {
					t.Error(err)
				}
			}
		}},
		{"in a sleep", `check(1, { 'is one': (v) => v === 1 }); sleep(1000);`, func(st *stage) {
			for st.total("checks").Count < n {
				runtime.Gosched()
			}
		}},
		{"in a group", `group('g', () => { check(1, { 'is one': (v) => v === 1 }); sleep(1000); });`, func(st *stage) {
			for st.total("checks").Count < n {
				runtime.Gosched()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := newStage(t, fmt.Sprintf(`import http from 'k6/http'; import { check, group, sleep } from 'k6';
				export const options = { vus: %d, duration: '1h' }; export default function () { %s }`, n, tt.body), nil)
			st.init()
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection in between would shrink some
			before := stacks()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- st.Run(ctx, run.Begin{}) }()
			tt.reached(st)
			if each := float64(stacks()-before) / n; each > 4500 {
				t.Errorf("a virtual user that waits has %.0f bytes of stack, want 4096", each)
			}
			cancel()
			<-done
		})
	}
}

// stacks is how many bytes all goroutines' stacks take.
func stacks() int64 {
	runtime.GC()
	s := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}
