package push_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/view/output/push"
)

// log returns a logger and what it has been told.
func log() (*slog.Logger, func() []string) {
	var mu sync.Mutex
	var out bytes.Buffer
	w := writer(func(b []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return out.Write(b) })
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: drop})), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' })
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// run has p send until the returned function is called.
func run(p *push.Pusher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var busy sync.WaitGroup
	busy.Go(func() { p.Run(ctx) })
	return func() { cancel(); busy.Wait() }
}

func body(n int) push.Body {
	return push.Body{Data: []byte(strings.Repeat("x", 10)), Samples: int64(n)}
}

func TestADeadServerHoldsNothingUp(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(context.Context, push.Body) error{
		"it never answers":     func(ctx context.Context, _ push.Body) error { <-ctx.Done(); return ctx.Err() },
		"nobody listens there": func(context.Context, push.Body) error { return errors.New("connection refused") },
	} {
		synctest.Test(t, func(t *testing.T) {
			l, told := log()
			p := push.New(push.Config{Name: "X", Send: send, Writers: 3, Room: 100, Log: l})
			stop := run(p)
			began := time.Now()
			for range 1000 {
				p.Put(body(2))
			}
			if d := time.Since(began); d > 0 {
				t.Errorf("%s: Put took %v", name, d)
			}
			synctest.Wait()
			stop()
			p.Close()
			if d := time.Since(began); d > push.Patience {
				t.Errorf("%s: it ended after %v", name, d)
			}
			lines := told()
			if len(lines) == 0 || len(lines) > 2 || !strings.Contains(lines[len(lines)-1], "output X: 2000 of 2000 samples were not written: ") {
				t.Errorf("%s: the log has %q", name, lines)
			}
		})
	}
}

func TestABodyIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, told := log()
		tries := 0
		p := push.New(push.Config{Name: "X", Log: l, Send: func(context.Context, push.Body) error {
			if tries++; tries < 4 {
				return errors.New("busy")
			}
			return nil
		}})
		stop := run(p)
		p.Put(body(1))
		time.Sleep(8 * time.Second) // 1, 2 and 4 lie between the attempts
		synctest.Wait()
		if tries != 4 {
			t.Errorf("%d attempts", tries)
		}
		stop()
		p.Close()
		if lines := told(); len(lines) != 1 || !strings.Contains(lines[0], "output X: busy; the run goes on") {
			t.Errorf("the log has %q", lines)
		}
	})
}

func TestABodyIsGivenUpInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, told := log()
		tries := map[int64]int{}
		p := push.New(push.Config{Name: "X", Log: l, Send: func(_ context.Context, b push.Body) error {
			tries[b.Samples]++
			if b.Samples == 3 {
				return push.Refused(errors.New("no such database"))
			}
			return errors.New("gone")
		}})
		stop := run(p)
		p.Put(body(3))
		p.Put(body(4))
		time.Sleep(time.Minute)
		synctest.Wait()
		if tries[3] != 1 || tries[4] != 5 {
			t.Errorf("attempts: %v", tries)
		}
		p.Flush()
		stop()
		p.Close()
		if lines := told(); len(lines) != 2 || !strings.Contains(lines[0], "no such database") || !strings.Contains(lines[1], "7 of 7 samples were not written: gone") {
			t.Errorf("the log has %q", lines)
		}
	})
}

func TestTheOldestAreLostFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []int64
		l, told := log()
		p := push.New(push.Config{Name: "X", Room: 30, Log: l, Send: func(_ context.Context, b push.Body) error { got = append(got, b.Samples); return nil }})
		for i := range 6 {
			p.Put(body(i + 1))
		}
		stop := run(p)
		p.Flush()
		stop()
		p.Close()
		if fmt.Sprint(got) != "[4 5 6]" {
			t.Errorf("sent: %v", got)
		}
		if lines := told(); len(lines) != 1 || !strings.Contains(lines[0], "6 of 21 samples were not written") {
			t.Errorf("the log has %q", lines)
		}
	})
}

// TestFlushEndsInTime is what a node of a grid relies on.
func TestFlushEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, told := log()
		p := push.New(push.Config{Name: "X", Log: l, Send: func(ctx context.Context, _ push.Body) error { <-ctx.Done(); return ctx.Err() }})
		stop := run(p)
		p.Put(body(1))
		p.Put(body(2))
		began := time.Now()
		p.Flush()
		if d := time.Since(began); d != push.Patience {
			t.Errorf("it took %v", d)
		}
		if lines := told(); len(lines) != 1 || !strings.Contains(lines[0], "3 of 3 samples were not written: no answer within 2.5s") {
			t.Errorf("the log has %q", lines)
		}
		p.Flush() // teardown() has measured nothing
		stop()
		p.Close()
		if lines := told(); len(lines) > 2 {
			t.Errorf("the log has %q", lines)
		}
	})
}

func TestWhatIsOnItsWayAtTheEndIsSentOnceMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		sent := int64(0)
		l, told := log()
		p := push.New(push.Config{Name: "X", Writers: 2, Log: l, Send: func(ctx context.Context, b push.Body) error {
			select {
			case <-time.After(time.Second):
				mu.Lock()
				defer mu.Unlock()
				sent += b.Samples
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
		stop := run(p)
		for i := range 4 {
			p.Put(body(i))
		}
		synctest.Wait()
		stop()
		p.Close()
		if sent != 6 || len(told()) > 0 {
			t.Errorf("%d samples were sent; the log has %q", sent, told())
		}
	})
}

func TestAnAnswerSaysWhetherToTryAgain(t *testing.T) {
	t.Parallel()
	code := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
		_, _ = w.Write([]byte("a reason\n  of two lines" + strings.Repeat("!", 1000)))
	}))
	defer server.Close()
	u, _, _, err := push.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := push.HTTP{URL: u, Timeout: time.Minute}
	client := h.Client()
	for c, final := range map[int]bool{302: true, 400: true, 401: true, 404: true, 408: false, 413: true, 429: false, 500: false, 503: false} {
		code = c
		err := h.Post(t.Context(), client, []byte("x"))
		want := fmt.Sprintf("the server answered %d %s: a reason of two lines!", c, http.StatusText(c))
		if err == nil || errors.Is(err, push.ErrRefused) != final || !strings.HasPrefix(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%d: %v", c, err)
		}
	}
	code = 204
	if err := h.Post(t.Context(), client, nil); err != nil {
		t.Error(err)
	}
}

func TestNoErrorTellsASecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"http://ana:hunter2@[::1", "http://ana:hunter2@h:port/", "://ana:hunter2@h", "http://ana:hunt%er2@h/", "ana:hunter2@h:1", "http://ana:hunt/er2@h/db"} {
		if u, _, _, err := push.ParseURL(text); err == nil || strings.Contains(err.Error(), "hunt") || strings.Contains(err.Error(), "ana") {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
	u, user, password, err := push.ParseURL("http://ana:hunter2@127.0.0.1:1/db")
	if err != nil || user != "ana" || password != "hunter2" || u.String() != "http://127.0.0.1:1/db" {
		t.Errorf("%v, %q, %q, %v", u, user, password, err)
	}
	h := push.HTTP{URL: u, Username: user, Password: password, Timeout: time.Minute, Proxy: &url.URL{Scheme: "http", User: url.UserPassword("ana", "hunter2"), Host: "127.0.0.1:1"}}
	if err := h.Post(t.Context(), h.Client(), []byte("x")); err == nil || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "/db") {
		t.Errorf("nobody listens there: %v", err)
	}
}

func TestIntervalsAreReadAsInK6(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{"5s": 5 * time.Second, "250": 250 * time.Millisecond, "1m30s": 90 * time.Second} {
		if d, err := push.Interval(s); err != nil || d != want {
			t.Errorf("%s: %v, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "x", "-1s", "0", "0s", "5 s"} {
		if d, err := push.Interval(s); err == nil {
			t.Errorf("%q is read as %v", s, d)
		}
	}
}
