package scenario

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"throng/internal/demo"
)

// behaviours are what `target NAME` can start. Each answers one connection, which is closed when it returns; gone ends
// with the play.
var behaviours = map[string]func(c net.Conn, gone context.Context){
	// takes the request and says nothing
	"stall": func(_ net.Conn, gone context.Context) { <-gone.Done() },
	// promises more than it sends
	"truncate": func(c net.Conn, _ context.Context) {
		if asked(c) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
		}
	},
	// speaks, but not HTTP
	"garbage": func(c net.Conn, _ context.Context) {
		if asked(c) {
			fmt.Fprint(c, "\x00\xff\x17 220 welcome to nothing that you know\r\n\r\n")
		}
	},
	// hangs up
	"hangup": func(c net.Conn, _ context.Context) { asked(c) },
	// resets the connection
	"reset": func(c net.Conn, _ context.Context) {
		asked(c)
		_ = c.(*net.TCPConn).SetLinger(0)
	},
	// sends 10 GB
	"huge": func(c net.Conn, _ context.Context) {
		if !asked(c) {
			return
		}
		const size = 10 << 30
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", int64(size))
		block := make([]byte, 1<<20)
		for range size / len(block) {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	},
	// a header without end
	"endless-header": func(c net.Conn, _ context.Context) {
		if !asked(c) {
			return
		}
		line := "X-More: " + strings.Repeat("m", 8000) + "\r\n"
		for _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil; {
			_, err = io.WriteString(c, line)
		}
	},
}

// asked reads one request's head and says whether there was one.
func asked(c net.Conn) bool {
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == "\r\n" {
			return true
		}
	}
}

// target starts a server that lasts as long as the play and sets TARGET to its address: target demo|refuse|BEHAVIOUR.
func target(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: target demo|refuse|stall|truncate|garbage|hangup|reset|huge|endless-header")
	}
	gone, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	ts.Defer(func() {
		end()
		<-ended
	})
	switch args[0] {
	case "demo":
		s, err := demo.Listen("127.0.0.1:0")
		ts.Check(err)
		ts.Setenv("TARGET", s.URL())
		go func() {
			defer close(ended)
			_ = s.Run(gone) // ends with the play
		}()
	case "refuse":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv("TARGET", "http://"+l.Addr().String())
		ts.Check(l.Close())
		close(ended)
	default:
		behave, ok := behaviours[args[0]]
		if !ok {
			ts.Fatalf("no target behaves like %q", args[0])
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv("TARGET", "http://"+l.Addr().String())
		go func() {
			defer close(ended)
			serve(l, gone, behave)
		}()
	}
}

// serve answers connections until gone, and returns when the last has been closed.
func serve(l net.Listener, gone context.Context, behave func(net.Conn, context.Context)) {
	defer context.AfterFunc(gone, func() { _ = l.Close() })()
	live := make(chan struct{}, 1000)
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		live <- struct{}{}
		go func() {
			stop := context.AfterFunc(gone, func() { _ = c.Close() })
			behave(c, gone)
			stop()
			_ = c.Close()
			<-live
		}()
	}
	for range cap(live) { // every place is free again
		live <- struct{}{}
	}
}
