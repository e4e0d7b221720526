package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"throng/internal/metric"
	"throng/internal/sketch"
	"throng/internal/threshold"
)

// testRun is a run in memory: two virtual users at most, paused at first.
type testRun struct {
	status Status
	data   []byte
	fails  error
}

func (r *testRun) Status() Status { return r.status }
func (r *testRun) Stop()          { r.status.Stopped = true }

func (r *testRun) Pause(paused bool) error {
	if paused == r.status.Paused {
		return errors.New("no change")
	}
	r.status.Paused = paused
	return nil
}

func (r *testRun) Scale(vus, _ *int64) error {
	if vus == nil {
		return ErrFixed
	}
	if *vus > r.status.VUsMax {
		return errors.New("too many")
	}
	r.status.VUs = *vus
	return nil
}

func (r *testRun) SetupData() []byte        { return r.data }
func (r *testRun) SetSetupData(data []byte) { r.data = data }

func (r *testRun) RunSetup(context.Context) error {
	if r.fails == nil {
		r.data = []byte(`{"made":true}`)
	}
	return r.fails
}

func (r *testRun) RunTeardown(context.Context) error { return r.fails }

func measured(t *testing.T) Measured {
	t.Helper()
	set, err := threshold.ParseSet(map[string][]threshold.Threshold{
		"sold": {{Source: "count<5"}}, "sold{ kind:tea }": {{Source: "count<5"}}, "idle{a:b}": {{Source: "value<1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]*metric.Metric{"sold": {Name: "sold"}, "idle": {Name: "idle", Kind: metric.Gauge, Contains: metric.Data}}
	if set, err = set.Resolve(func(name string) *metric.Metric { return kinds[name] }); err != nil {
		t.Fatal(err)
	}
	wait := new(sketch.Trend)
	for _, v := range []float64{1, 2, 3, 4, 5} {
		wait.Add(v)
	}
	check := func(group, name string, passes, all int64) metric.Series {
		return metric.Series{
			Selector: metric.Selector{Metric: "checks", Tags: []metric.Tag{{Key: "group", Value: group}, {Key: "check", Value: name}}},
			Role:     metric.CheckPart, Kind: metric.Rate, Trues: passes, Count: all,
		}
	}
	snap := metric.Snapshot{
		Groups: []string{"::shop::till"},
		Series: []metric.Series{
			{Selector: metric.Selector{Metric: "wait"}, Kind: metric.Trend, Contains: metric.Time, Count: 5, Trend: wait},
			{Selector: metric.Selector{Metric: "sold"}, Sum: 6, Count: 2},
			{Selector: metric.Selector{Metric: "sold", Tags: []metric.Tag{{Key: "kind", Value: "tea"}}}, Role: metric.Submetric, Sum: 2, Count: 1},
			check("", "top", 1, 1), check("::shop::till", "open", 1, 3),
		},
	}
	return Measured{Snapshot: snap, Elapsed: 2 * time.Second, Thresholds: set, Verdicts: set.Judge(snap, 2*time.Second, false)}
}

func serve(t *testing.T) (*testRun, http.Handler) {
	r := &testRun{status: Status{Phase: 4, Paused: true, VUsMax: 2}}
	m := measured(t)
	return r, New(Config{Run: r, Setup: r, Measured: func() Measured { return m }})
}

func ask(h http.Handler, method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestAnswersHaveTheShapesOfK6(t *testing.T) {
	status := func(paused, vus, stopped string) string {
		return `{"data":{"type":"status","id":"default","attributes":{"status":4,"paused":` + paused + `,"vus":` + vus +
			`,"vus-max":2,"stopped":` + stopped + `,"running":false,"tainted":false}}}`
	}
	refused := func(status, title, detail string) string {
		return `{"errors":[{"status":"` + status + `","title":"` + title + `","detail":"` + detail + `"}]}`
	}
	setup := func(data string) string {
		return `{"data":{"type":"setupData","id":"default","attributes":{` + data + `}}}`
	}
	patch := func(attributes string) string { return `{"data":{"attributes":{` + attributes + `}}}` }
	_, h := serve(t)
	for _, tt := range []struct { // one story: each step sees what those before it did
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/ping", "", 200, "ok"},
		{"DELETE", "/anything", "", 200, "ok"},
		{"GET", "/v1/other", "", 404, "404 page not found\n"},
		{"PUT", "/v1/status", "", 405, ""},
		{"GET", "/v1/status", "", 200, status("true", "0", "false")},
		{"PATCH", "/v1/status", patch(`"paused":true`), 500, refused("500", "Pause error", "no change")},
		{"PATCH", "/v1/status", patch(`"paused":false,"vus":2`), 200, status("false", "2", "false")},
		{"PATCH", "/v1/status", patch(`"vus":9`), 400, refused("400", "Config update error", "too many")},
		{"PATCH", "/v1/status", patch(`"vus-max":9`), 500, refused("500", "Execution config error", "live VU configuration updates are not supported")},
		{"PATCH", "/v1/status", "", 400, refused("400", "Invalid data", "unexpected end of JSON input")},
		{"PATCH", "/v1/status", `{"stopped":true}`, 200, status("false", "2", "false")},
		{"PATCH", "/v1/status", patch(`"stopped":true,"paused":false`), 200, status("false", "2", "true")},
		{"GET", "/v1/setup", "", 200, setup("")},
		{"PUT", "/v1/setup", "null", 200, setup(`"data":null`)},
		{"PUT", "/v1/setup", "{no", 400, refused("400", "Error parsing request body", "invalid character 'n' looking for beginning of object key string")},
		{"POST", "/v1/setup", "", 200, setup(`"data":{"made":true}`)},
		{"PUT", "/v1/setup", "", 200, setup("")},
		{"POST", "/v1/teardown", "", 200, ""},
		{"GET", "/v1/metrics/wait", "", 200, `{"data":{"type":"metrics","id":"wait","attributes":{"type":"trend","contains":"time","tainted":null,` +
			`"sample":{"avg":3,"max":5,"med":3,"min":1,"p(90)":4.6,"p(95)":4.8}}}}`},
		{"GET", "/v1/metrics/sold", "", 200, `{"data":{"type":"metrics","id":"sold","attributes":{"type":"counter","contains":"default","tainted":true,` +
			`"sample":{"count":6,"rate":3}}}}`},
		{"GET", "/v1/metrics/sold%7Bkind:tea%7D", "", 200, `{"data":{"type":"metrics","id":"sold{kind:tea}","attributes":{"type":"counter",` +
			`"contains":"default","tainted":false,"sample":{"count":2,"rate":1}}}}`},
		{"GET", "/v1/metrics/idle%7Ba:b%7D", "", 200, `{"data":{"type":"metrics","id":"idle{a:b}","attributes":{"type":"gauge","contains":"data",` +
			`"tainted":null,"sample":{"value":0}}}}`},
		{"GET", "/v1/metrics/none", "", 404, refused("404", "Not Found", "No metric with that ID was found")},
		{"GET", "/v1/groups/none", "", 404, refused("404", "Not Found", "No group with that ID was found")},
		{"GET", "/v1/groups/83f8a61ecd78f254af269754315b8560", "", 200, `{"data":{"type":"groups","id":"83f8a61ecd78f254af269754315b8560",` +
			`"attributes":{"path":"::shop::till","name":"till","checks":[{"id":"c9b72ad67622f1e8de2a61aa0760dce0","path":"::shop::till::open",` +
			`"name":"open","passes":1,"fails":2}]},"relationships":{"groups":{"data":[]},` +
			`"parent":{"data":{"type":"groups","id":"2dcefeabd7332e4b7fedeecb08f57de6"}}}}}`},
	} {
		code, got := ask(h, tt.method, tt.path, tt.body)
		if code != tt.code || got != tt.want {
			t.Errorf("%s %s %s:\n got %d %s\nwant %d %s", tt.method, tt.path, tt.body, code, got, tt.code, tt.want)
		}
	}
}

func TestEveryGroupHangsBelowItsParent(t *testing.T) {
	var paths []string
	for _, g := range groups(measured(t).Snapshot) {
		paths = append(paths, g.Attributes.Path)
	}
	if got := strings.Join(paths, ","); got != ",::shop,::shop::till" {
		t.Errorf("the groups are %q", got)
	}
}

func TestMetricsOfThresholdsAreShownBeforeTheyAreMeasured(t *testing.T) {
	var ids []string
	for _, m := range shownMetrics(measured(t)) {
		ids = append(ids, m.ID)
	}
	if got := strings.Join(ids, " "); got != "idle idle{a:b} sold sold{kind:tea} wait" {
		t.Errorf("the metrics are %q", got)
	}
}

func TestWhatSetupThrowsIsTold(t *testing.T) {
	r, h := serve(t)
	r.fails = errors.New("Error: tired\n\tat setup")
	for path, title := range map[string]string{"/v1/setup": "Error executing setup", "/v1/teardown": "Error executing teardown"} {
		code, got := ask(h, "POST", path, "")
		if want := `{"errors":[{"status":"500","title":"` + title + `","detail":"Error: tired\n\tat setup"}]}`; code != 500 || got != want {
			t.Errorf("POST %s: got %d %s, want %s", path, code, got, want)
		}
	}
}

func TestNoBodyIsReadWithoutEnd(t *testing.T) {
	_, h := serve(t)
	w := httptest.NewRecorder()
	endless := &spaces{}
	h.ServeHTTP(w, httptest.NewRequest("PATCH", "/v1/status", endless))
	if w.Code != http.StatusRequestEntityTooLarge || endless.given > 2*maxPatch {
		t.Errorf("got %d after %d bytes", w.Code, endless.given)
	}
}

type spaces struct{ given int64 }

func (s *spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	s.given += int64(len(p))
	return len(p), nil
}

func TestProfilesAreServedOnlyWhenAskedFor(t *testing.T) {
	for _, on := range []bool{false, true} {
		h := New(Config{Profiling: on})
		if _, got := ask(h, "GET", "/debug/pprof/", ""); strings.Contains(got, "goroutine") != on {
			t.Errorf("profiling %v: /debug/pprof/ answers %q", on, got)
		}
		if _, got := ask(h, "GET", "/metrics", ""); !strings.Contains(got, "\ngo_goroutines ") {
			t.Errorf("/metrics answers %q", got)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, h := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, h, slog.New(slog.DiscardHandler)) }()
	for range 3 { // on one connection: the deadline of one answer must not be that of the next
		res, err := http.Get("http://" + ln.Addr().String() + "/ping")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "ok" {
			t.Errorf("got %q, %v", body, err)
		}
		_ = res.Body.Close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("something still listens")
	}
}
