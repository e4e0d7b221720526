package beat

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/courier"
	"throng/internal/grid/fence"
)

func sample() *Beat {
	return &Beat{
		Node: "h1", Life: "x", Seq: 7, Sent: time.Unix(9, 0).UTC(), Silences: map[string]time.Duration{"h2": time.Second},
		Reports: []Report{
			{Run: "r", Part: "0", Phase: Running, Seq: 3, Snapshot: []byte("abc"), First: 5, Lines: []Line{{Text: "hello", Console: true, At: time.Unix(8, 0).UTC()}}},
			{Run: "r", Part: "1", Phase: Failed, Fault: courier.FaultOf(fault.New(fault.ScriptException, errors.New("it threw")))},
			{Run: "r", Part: "2", Phase: Ended, Seq: 9, Snapshot: []byte("defg")},
		},
	}
}

func TestABeatArrivesAsItWasSent(t *testing.T) {
	b := sample()
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	got.Reports[1].Snapshot = nil
	if !reflect.DeepEqual(got, b) {
		t.Errorf("sent %+v\ngot  %+v", b, got)
	}
	for cut := range len(data) {
		if _, err := Decode(data[:cut]); !errors.Is(err, errFormat) {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(data)
		if err != nil {
			return
		}
		again, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if c, err := Decode(again); err != nil || !reflect.DeepEqual(b, c) {
			t.Fatalf("%+v became %+v: %v", b, c, err)
		}
	})
}

func receiver(leader string, lines func(node, run, part string, lines []Line, leftOut int64) bool) *Receiver {
	if lines == nil {
		lines = func(string, string, string, []Line, int64) bool { return true }
	}
	return NewReceiver(ReceiverConfig{
		Self: "v", Lines: lines, Caller: func(r *http.Request) string { return r.Header.Get("Caller") },
		Grid: func() (string, uint64, []string) { return leader, 4, []string{"v"} },
	})
}

func TestOldNewsIsNoNews(t *testing.T) {
	r := receiver("v", nil)
	now := time.Now()
	say := func(beat, snap uint64, text string) {
		r.Hear(&Beat{Node: "n", Life: "1", Seq: beat, Reports: []Report{{Run: "r", Part: "p", Phase: Phase(text), Seq: snap, Snapshot: []byte(text)}}}, now)
	}
	say(2, 10, "second")
	say(1, 9, "first") // overtaken
	if p := r.Parts("r")["p"]; p.Phase != "second" || string(p.Snapshot) != "second" {
		t.Errorf("an overtaken beat counted: %+v", p)
	}
	say(3, 10, "")
	if p := r.Parts("r")["p"]; p.Phase != "" || string(p.Snapshot) != "second" {
		t.Errorf("a beat without a snapshot: %+v", p)
	}
	r.Take("r", map[string]Heard{
		"p": {At: now.Add(-time.Second), Report: Report{Phase: "elsewhere", Seq: 11, Snapshot: []byte("newer")}},
		"q": {At: now, Report: Report{Phase: "unknown here", Seq: 1}},
	})
	parts := r.Parts("r")
	if p := parts["p"]; string(p.Snapshot) != "newer" || p.Phase != "" {
		t.Errorf("a newer snapshot with an older report: %+v", p)
	}
	if parts["q"].Phase != "unknown here" {
		t.Errorf("a part that only another voter heard of: %+v", parts["q"])
	}
	r.Take("r", map[string]Heard{"p": {At: now.Add(time.Hour), Report: Report{Seq: 2, Snapshot: []byte("old")}}})
	if p := r.Parts("r")["p"]; string(p.Snapshot) != "newer" {
		t.Errorf("an older snapshot counted: %+v", p)
	}
	r.Forget("r")
	if len(r.Parts("r")) > 0 {
		t.Error("a forgotten run is remembered")
	}
}

func TestEveryLineIsToldOnceAndInOrder(t *testing.T) {
	var told []string
	left := int64(0)
	nobody := false // listens
	r := receiver("v", func(_, _, _ string, lines []Line, leftOut int64) bool {
		if nobody {
			return false
		}
		for _, l := range lines {
			told = append(told, l.Text)
		}
		left += leftOut
		return true
	})
	say := func(seq uint64, first, leftOut int64, words string) int64 {
		var lines []Line
		for _, w := range strings.Fields(words) {
			lines = append(lines, Line{Text: w})
		}
		ack := r.Hear(&Beat{Node: "n", Seq: seq, Reports: []Report{{Run: "r", Part: "p", First: first, Lines: lines, LeftOut: leftOut}}}, time.Now())
		return ack.Lines["r/p"]
	}
	say(1, 0, 0, "a b")
	say(2, 0, 0, "a b c") // the acknowledgement was lost
	nobody = true
	if next := say(3, 3, 5, "d"); next != 0 {
		t.Errorf("lines that nobody took are acknowledged up to %d", next)
	}
	nobody = false
	say(3, 3, 5, "d")
	say(4, 1, 5, "b c")
	if next := say(5, 4, 7, ""); next != 4 || strings.Join(told, "") != "abcd" || left != 7 {
		t.Errorf("told %v, %d left out, next is %d", told, left, next)
	}
}

func TestNobodySpeaksInAnothersName(t *testing.T) {
	data, _ := (&Beat{Node: "h1"}).Encode()
	for caller, want := range map[string]int{"h1": 200, "h2": 403, "": 200} {
		req := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(string(data)))
		req.Header.Set("Caller", caller)
		w := httptest.NewRecorder()
		receiver("v", nil).ServeHTTP(w, req)
		if w.Code != want {
			t.Errorf("%q sends a beat of h1: %d %s", caller, w.Code, w.Body)
		}
	}
}

// network carries beats to receivers by host name; a host that is cut off answers nothing.
type network struct {
	mu    sync.Mutex
	hosts map[string]*Receiver
	cut   map[string]bool
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.mu.Lock()
	h, cut := n.hosts[req.URL.Host], n.cut[req.URL.Host]
	n.mu.Unlock()
	if cut {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result(), nil
}

func TestALeaseLastsWhileAMajorityAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{hosts: map[string]*Receiver{}, cut: map[string]bool{}}
		var voters []Voter
		for _, name := range []string{"a", "b", "c"} {
			n.hosts[name] = NewReceiver(ReceiverConfig{
				Self: name, Caller: func(*http.Request) string { return "" }, Lines: func(string, string, string, []Line, int64) bool { return true },
				Grid: func() (string, uint64, []string) { return "a", 1, []string{"a", "b", "c"} },
			})
			voters = append(voters, Voter{name, "http://" + name})
		}
		var mu sync.Mutex
		others := map[string]bool{} // by who they were, joined
		s := NewSender(SenderConfig{
			Self: "n", Client: &courier.Client{HTTP: &http.Client{Transport: n}}, Voters: func() ([]Voter, string) { return voters, "a" },
			Reports: func(whole bool) []Report {
				r := Report{Run: "r", Part: "p", Seq: 1}
				if whole {
					r.Snapshot = []byte("x")
				}
				return []Report{r}
			},
			Heard: func(_ []Report, by Witness) {
				mu.Lock()
				defer mu.Unlock()
				others[strings.Join(by.Others, "")] = true
			},
			Read: func(map[string]int64) {}, Over: func([]string) {}, Silences: func() map[string]time.Duration { return nil },
		})
		go func() { _ = s.Run(t.Context()) }()
		cut := func(hosts ...string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.cut = map[string]bool{}
			for _, h := range hosts {
				n.cut[h] = true
			}
		}
		for _, tt := range []struct {
			cut  []string
			held bool
		}{{nil, true}, {[]string{"a"}, true}, {[]string{"a", "b"}, false}, {[]string{"b"}, true}, {[]string{"a", "b", "c"}, false}} {
			cut(tt.cut...)
			time.Sleep(2 * fence.Lease)
			synctest.Wait()
			if held := s.Until().After(time.Now()); held != tt.held {
				t.Errorf("cut off from %v: holds the lease: %v", tt.cut, held)
			}
		}
		if want := map[string]bool{"abc": true, "bc": true, "c": true, "ac": true}; !maps.Equal(others, want) {
			t.Errorf("those who are there were %v, want %v", others, want)
		}
	})
}

// TestASnapshotIsSentOnceToWhoKeepsIt has a runner make a snapshot a second, and a voter that starts again and has forgotten
// everything.
func TestASnapshotIsSentOnceToWhoKeepsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fresh := func() *Receiver { return receiver("a", nil) }
		n := &network{hosts: map[string]*Receiver{"a": fresh()}, cut: map[string]bool{}}
		var mu sync.Mutex
		seq, beats, snapshots := uint64(1), 0, 0
		s := NewSender(SenderConfig{
			Self: "n", Client: &courier.Client{HTTP: &http.Client{Transport: n}}, Voters: func() ([]Voter, string) { return []Voter{{"a", "http://a"}}, "a" },
			Reports: func(bool) []Report {
				mu.Lock()
				defer mu.Unlock()
				return []Report{{Run: "r", Part: "p", Seq: seq, Snapshot: []byte("x")}}
			},
			Heard: func(reports []Report, by Witness) {
				mu.Lock()
				defer mu.Unlock()
				beats++
				if len(reports[0].Snapshot) > 0 {
					snapshots++
					if by.Held["r/p"] != seq {
						t.Errorf("a holds %d, not %d", by.Held["r/p"], seq)
					}
				}
			},
			Read: func(map[string]int64) {}, Over: func([]string) {}, Silences: func() map[string]time.Duration { return nil },
		})
		go func() { _ = s.Run(t.Context()) }()
		count := func(d time.Duration) (int, int) {
			mu.Lock()
			b, n := beats, snapshots
			mu.Unlock()
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return beats - b, snapshots - n
		}
		count(time.Second)
		if b, n := count(10 * time.Second); b < 9 || n != 0 {
			t.Errorf("nothing was new, and %d beats carried %d snapshots", b, n)
		}
		for range 3 {
			mu.Lock()
			seq++
			mu.Unlock()
			s.Nudge()
			if b, n := count(time.Second); b != 1 || n != 1 {
				t.Errorf("one thing was new: %d beats, %d snapshots", b, n)
			}
		}
		n.mu.Lock()
		n.hosts["a"] = fresh()
		n.mu.Unlock()
		if _, n := count(3 * time.Second); n != 1 {
			t.Errorf("who had forgotten everything was sent %d snapshots", n)
		}
	})
}

func TestTheQuickestAnswerTellsTheTimeBest(t *testing.T) {
	var c clock
	c.measured("a", 5*time.Second+400*time.Millisecond, 800*time.Millisecond)
	c.measured("a", 5*time.Second+time.Millisecond, 2*time.Millisecond)
	c.measured("a", 4*time.Second, 2*time.Second)
	if offset, round := c.best(); offset != 5*time.Second || round != 2*time.Millisecond {
		t.Errorf("%v within %v", offset, round)
	}
	c.measured("b", -time.Minute+time.Second, 2*time.Second)
	if offset, round := c.best(); offset != -time.Minute || round != 2*time.Second || c.of != "b" {
		t.Errorf("of another leader: %v within %v", offset, round)
	}
}

func TestWhoIsThereKeepsSnapshots(t *testing.T) {
	for _, tt := range []struct {
		voters int
		others []string // without the node itself
		leader string
		want   string
	}{
		{3, []string{"a", "b", "c"}, "a", "ab"},
		{3, []string{"a", "c"}, "a", "ac"}, // b is away
		{3, []string{"b", "c"}, "a", "ab"}, // a itself, or a is away
		{3, []string{"b"}, "", "b"},
		{5, []string{"b", "c", "d", "e"}, "a", "abc"}, // two may die at once
		{5, []string{"a", "b", "c", "d", "e"}, "c", "ca"},
		{5, []string{"e"}, "c", "ce"},
		{1, []string{"a"}, "a", "a"},
	} {
		if got := strings.Join(keepers(tt.voters, tt.others, tt.leader), ""); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// TestWhatAnotherVoterHeardIsAsOldHereAsThere has it told by one whose clock is minutes ahead.
func TestWhatAnotherVoterHeardIsAsOldHereAsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard, measured := time.Now(), time.Now().Add(time.Second)
		time.Sleep(3 * time.Second)
		parts := tell(map[string]Heard{"0": {At: heard, Measured: measured}, "1": {At: heard}})
		for id, p := range parts {
			p.At, p.Measured = p.At.Add(3*time.Minute), p.Measured.Add(3*time.Minute)
			parts[id] = p
		}
		body, err := json.Marshal(parts)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readTold(bytes.NewReader(body))
		if err != nil || !got["0"].At.Equal(heard) || !got["0"].Measured.Equal(measured) || !got["1"].Measured.IsZero() {
			t.Errorf("heard at %v, measured at %v: %+v, %v", heard, measured, got, err)
		}
	})
}
