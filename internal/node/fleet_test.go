//go:build unix

package node

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"throng/internal/grid/client"
	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
	"throng/internal/grid/courier"
	"throng/internal/grid/desk"
	"throng/internal/grid/trust"
	"throng/internal/metric/metrictest"
)

var (
	fleetSize    = flag.Int("fleet", 0, "how many workers TestWhatTheLeaderOfAFleetCosts makes; 0: none")
	fleetVoters  = flag.Int("fleet.voters", 3, "how many nodes vote, each in a process of its own")
	fleetBin     = flag.String("fleet.bin", "", "the throng that the voters are; empty: this test")
	fleetSeconds = flag.Int("fleet.seconds", 30, "for how long is measured")
	fleetFull    = flag.Bool("fleet.full", false, "have the workers watch the store, as nodes do; a thousand in one process are too many")
	fleetVoter   = flag.String("fleet.voter", "", "be a voter: name, data directory, address, address for members, seed, token file")
)

// TestFleetVoter is a voter in a process of its own, for a profile of what it does.
func TestFleetVoter(t *testing.T) {
	if *fleetVoter == "" {
		t.Skip("is a part of TestWhatTheLeaderOfAFleetCosts")
	}
	w := strings.Split(*fleetVoter, ",")
	o := Options{
		Hostname: w[0], DataDir: w[1], ClientURL: w[2], ServerURL: w[3], Ideal: 3, Version: "fleet",
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Out: io.Discard, Command: "false",
	}
	if w[4] != "" {
		o.Seeds, o.TokenFile = []string{w[4]}, w[5]
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends with who started it
		cancel()
	}()
	debug.SetGCPercent(50) // as the command does
	go fleetMemory(w[0])
	if err := Run(ctx, o); err != nil {
		t.Error(err)
	}
}

// fleetMemory writes profiles of the memory when it is asked to.
func fleetMemory(name string) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	for range asked {
		for _, what := range []string{"heap", "goroutine"} {
			if f, err := os.Create(filepath.Join(os.TempDir(), "fleet-"+name+"."+what)); err == nil {
				_ = pprof.Lookup(what).WriteTo(f, 0)
				_ = f.Close()
			}
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintf(os.Stderr, "heap in use %d MiB, idle %d, released %d; stacks %d, other %d; %d goroutines; next collection at %d MiB, %d so far\n",
			m.HeapInuse>>20, m.HeapIdle>>20, m.HeapReleased>>20, m.StackInuse>>20, (m.Sys-m.HeapSys-m.StackSys)>>20, runtime.NumGoroutine(), m.NextGC>>20, m.NumGC)
	}
}

// TestWhatTheLeaderOfAFleetCosts starts voters in processes of their own and very many workers in this one. The workers are nodes
// in all but their runners, which only tell numbers: a snapshot a second with 50 series. It prints what the voters' processes take.
//
//	go test ./internal/node -run TestWhatTheLeaderOfAFleetCosts -fleet 1000 -v
func TestWhatTheLeaderOfAFleetCosts(t *testing.T) {
	if *fleetSize == 0 {
		t.Skip("wants the machine for itself: -fleet 1000")
	}
	f := &fleet{t: t, dir: t.TempDir()}
	defer f.close()
	for i := range *fleetVoters {
		f.voter(i)
	}
	f.until("the voters vote", time.Minute, func(v cluster.View) bool { return len(v.Voters()) == *fleetVoters })
	began := time.Now()
	f.idle("without workers", 5*time.Second)
	f.workers(*fleetSize)
	f.until("all workers are there", 10*time.Minute, func(v cluster.View) bool {
		n := 0
		for _, o := range v.Nodes {
			n += bit(o.Alive)
		}
		return n == *fleetSize+*fleetVoters
	})
	t.Logf("%d workers are there after %v", *fleetSize, time.Since(began).Round(time.Second))
	f.idle("idle, with the workers", 10*time.Second)
	f.run(time.Duration(*fleetSeconds) * time.Second)
}

func bit(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

type fleet struct {
	t      *testing.T
	dir    string
	procs  []*exec.Cmd
	pipes  []io.Closer
	base   string
	grid   *client.Grid
	stop   context.CancelFunc
	nodes  sync.WaitGroup
	shops  []*metrictest.Shop
	atWork atomic.Int64
	told   atomic.Int64 // snapshots that the runners have made
}

func (f *fleet) close() {
	if f.stop != nil {
		f.stop()
		f.nodes.Wait()
	}
	for i, p := range f.procs {
		_ = f.pipes[i].Close()
		if *fleetBin != "" { // else it ends with the pipe, and writes its profile
			_ = p.Process.Signal(os.Interrupt)
		}
	}
	for _, p := range f.procs {
		_ = p.Wait()
	}
}

const fleetHost = "127.0.7.1"

func freeURL(t *testing.T) string {
	l, err := net.Listen("tcp", fleetHost+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "https://" + l.Addr().String()
}

func (f *fleet) voter(i int) {
	t := f.t
	name := fmt.Sprint("v", i+1)
	dir, url, server := filepath.Join(f.dir, name), freeURL(t), freeURL(t)
	seed, token := f.base, filepath.Join(f.dir, "v1", "join.token")
	var cmd *exec.Cmd
	if *fleetBin != "" {
		args := []string{"node", "--hostname", name, "--data-dir", dir, "--client-urls", url, "--server-urls", server}
		if seed == "" {
			args = append(args, "--ideal-cluster-size", "3")
		} else {
			args = append(args, "--seeds", seed, "--token-file", token)
		}
		cmd = exec.Command(*fleetBin, args...)
	} else {
		profile := filepath.Join(os.TempDir(), "fleet-"+name)
		cmd = exec.Command(os.Args[0], "-test.run=^TestFleetVoter$", "-test.cpuprofile="+profile+".cpu", "-test.memprofile="+profile+".mem",
			"-fleet.voter="+strings.Join([]string{name, dir, url, server, seed, token}, ","))
	}
	log, err := os.Create(filepath.Join(os.TempDir(), "fleet-"+name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.procs, f.pipes = append(f.procs, cmd), append(f.pipes, in)
	if f.base != "" {
		return
	}
	f.base = url
	for end := time.Now().Add(20 * time.Second); ; pause(50 * time.Millisecond) {
		operator, _, err := trust.ReadToken(filepath.Join(dir, "operator.token"))
		if err == nil {
			f.grid = client.New(courier.Client{HTTP: &http.Client{Transport: trust.PinnedTransport(operator.Pin, time.Now)}, Token: operator.Reveal}, []string{url})
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func (f *fleet) until(what string, most time.Duration, ok func(cluster.View) bool) {
	f.t.Helper()
	for end := time.Now().Add(most); ; pause(200 * time.Millisecond) {
		v, err := f.view(f.t.Context())
		if err == nil && ok(v) {
			return
		}
		if time.Now().After(end) {
			f.t.Fatalf("%s: not within %v: %v", what, most, err)
		}
	}
}

// view asks the first voter, and it alone: workers that do not watch the store have no view.
func (f *fleet) view(ctx context.Context) (v cluster.View, err error) {
	err = f.grid.JSON(ctx, http.MethodGet, client.ViewPath, nil, &v)
	return v, err
}

// usage is what a process has taken.
type usage struct {
	cpu       time.Duration
	rss, peak int64 // MiB
	fds       int
}

func usageOf(t *testing.T, pid int) (u usage) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, s := range fields[11:13] { // user and system time, in hundredths
		n, _ := strconv.Atoi(s)
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(w[1], 10, 64)
		switch w[0] {
		case "VmRSS:":
			u.rss = n >> 10
		case "VmHWM:":
			u.peak = n >> 10
		}
	}
	fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	u.fds = len(fds)
	return u
}

// idle prints what the voters take in a while.
func (f *fleet) idle(what string, d time.Duration) {
	f.t.Helper()
	before, told := make([]usage, len(f.procs)), f.told.Load()
	for i, p := range f.procs {
		before[i] = usageOf(f.t, p.Process.Pid)
	}
	began := time.Now()
	pause(d)
	took := time.Since(began)
	if n := f.told.Load() - told; n > 0 {
		f.t.Logf("%-24s %.0f snapshots a second were made", what, float64(n)/took.Seconds())
	}
	for i, p := range f.procs {
		u := usageOf(f.t, p.Process.Pid)
		f.t.Logf("%-24s v%d: %.3f cores, %d MiB (peak %d MiB), %d files", what, i+1, (u.cpu-before[i].cpu).Seconds()/took.Seconds(), u.rss, u.peak, u.fds)
	}
}

func (f *fleet) workers(n int) {
	ctx, stop := context.WithCancel(f.t.Context())
	f.stop = stop
	for range 16 {
		f.shops = append(f.shops, metrictest.New(uint64(len(f.shops))))
	}
	f.nodes.Go(func() {
		for tick := time.Tick(time.Second); ctx.Err() == nil; <-tick {
			for _, s := range f.shops {
				s.More(100)
			}
		}
	})
	ports := make([]net.Listener, n) // found before, so that nobody takes another's
	for i := range ports {
		l, err := net.Listen("tcp", fleetHost+":0")
		if err != nil {
			f.t.Fatal(err)
		}
		ports[i] = l
	}
	gate := make(chan struct{}, 8)
	for i, l := range ports {
		url := "https://" + l.Addr().String()
		_ = l.Close()
		name := fmt.Sprintf("w%04d", i)
		gate <- struct{}{}
		f.nodes.Go(func() {
			o := Options{
				Hostname: name, DataDir: filepath.Join(f.dir, name), ClientURL: url, ServerURL: "https://" + net.JoinHostPort(fleetHost, strconv.Itoa(i+1)),
				NoServer: true, Version: f.version(), Labels: map[string]string{"fleet": "yes"}, Seeds: []string{f.base}, TokenFile: filepath.Join(f.dir, "v1", "join.token"),
				Log: slog.New(slog.DiscardHandler), Out: io.Discard, start: f.start(i),
			}
			go func() {
				pause(50 * time.Millisecond)
				<-gate
			}()
			be := f.worker
			if *fleetFull {
				be = Run
			}
			if err := be(ctx, o); err != nil && ctx.Err() == nil {
				f.t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// worker runs a node that knows of the grid what it is told once: it joins, sends beats, takes orders, and does not watch the store.
func (f *fleet) worker(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return err
	}
	n := &Node{o: o, log: o.Log, life: o.Hostname, store: etcdstore.New()}
	listener, err := net.Listen("tcp", strings.TrimPrefix(o.ClientURL, "https://"))
	if err != nil {
		return err
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	hc, err := n.http()
	if err != nil {
		return err
	}
	n.client = &courier.Client{HTTP: hc}
	if n.depot, err = courier.NewDepot(filepath.Join(o.DataDir, "blobs")); err != nil {
		return err
	}
	n.picture = newPicture(n.name(), n.memory.Cluster, n.log)
	v, err := f.view(ctx)
	if err != nil {
		return err
	}
	n.picture.change(func() {
		n.picture.leader = v.Leader
		for _, o := range v.Nodes {
			if o.Role == cluster.Voter || o.Name == n.name() {
				n.picture.nodes[o.Name] = o.Node
			}
			if o.Role == cluster.Voter {
				n.picture.seats[o.Name] = cluster.Seat{Role: cluster.Voter, Identity: o.Identity}
			}
		}
	})
	n.tokens = trust.NewLedger(n.store)
	n.makeServices()
	n.picture.silent = n.receiver.Silent
	server := n.server()
	var wg sync.WaitGroup
	wg.Go(func() { _ = n.listen(server, listener) })
	wg.Go(func() { _ = n.sender.Run(ctx) })
	wg.Go(func() { _ = n.worker.Run(ctx) })
	<-ctx.Done()
	_ = server.Close()
	wg.Wait()
	return nil
}

func (f *fleet) version() string {
	if *fleetBin == "" {
		return "fleet"
	}
	out, err := exec.Command(*fleetBin, "version").Output()
	if err != nil {
		f.t.Error(err)
	}
	return strings.TrimPrefix(strings.Fields(string(out))[1], "v")
}

// run has the workers run a test, and prints what the voters take meanwhile.
func (f *fleet) run(d time.Duration) {
	t := f.t
	digest, err := f.grid.Send(t.Context(), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("a test")), nil })
	if err != nil {
		t.Fatal(err)
	}
	var rec cluster.Run
	asked := cluster.Asked{Name: "fleet.js", Bundle: digest, NodeLoss: cluster.Reassign, Where: map[string]string{"fleet": "yes"}, View: []byte("{}")}
	began := time.Now()
	if err := f.grid.JSON(t.Context(), http.MethodPost, desk.RunsPath, asked, &rec); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ticks := make(chan *desk.Tick, 100)
	lastTick := atomic.Int64{}
	var following sync.WaitGroup
	following.Go(func() {
		_ = f.grid.Follow(ctx, rec.ID, false, func(e desk.Event) {
			switch {
			case e.Tick != nil:
				lastTick.Store(int64(len(e.Tick.Snapshot)))
				select {
				case ticks <- e.Tick:
				default:
				}
			case e.Line != nil:
				t.Log(e.Line.Text)
			}
		})
	})
	defer following.Wait()
	defer cancel()
	for f.atWork.Load() < int64(*fleetSize) {
		pause(50 * time.Millisecond)
		if time.Since(began) > 3*time.Minute {
			_ = f.grid.JSON(t.Context(), http.MethodGet, desk.RunsPath+"/"+rec.ID, nil, &rec)
			t.Fatalf("%d of %d are at work: %s: %.500s", f.atWork.Load(), *fleetSize, rec.State, rec.Error)
		}
	}
	t.Logf("all are at work %v after the run was submitted", time.Since(began).Round(100*time.Millisecond))
	f.idle("settling", 5*time.Second)
	for len(ticks) > 0 {
		<-ticks
	}
	f.idle("running", d)
	if *fleetBin == "" {
		_ = f.procs[0].Process.Signal(syscall.SIGUSR1)
		pause(2 * time.Second)
	}
	n := len(ticks)
	t.Logf("%d ticks in %v, the last one of %d bytes", n, d, lastTick.Load())
	if n < int(d.Seconds()*3/4) {
		t.Errorf("the leader does not keep up: %d ticks in %v", n, d)
	}
	if err := f.grid.JSON(t.Context(), http.MethodPost, desk.RunsPath+"/"+rec.ID+"/stop", desk.StopCall{Why: "enough"}, nil); err != nil {
		t.Error(err)
	}
	began = time.Now()
	for f.atWork.Load() > 0 && time.Since(began) < time.Minute {
		pause(20 * time.Millisecond)
	}
	t.Logf("all have stopped %v after the order", time.Since(began).Round(10*time.Millisecond))
	f.until("the run has ended", time.Minute, func(cluster.View) bool {
		err := f.grid.JSON(t.Context(), http.MethodGet, desk.RunsPath+"/"+rec.ID, nil, &rec)
		return err == nil && rec.State.Over()
	})
	b, _ := rec.Encode()
	t.Logf("the run ended as %s, %v after the order: %s; its record has %d bytes, %d disturbances", rec.State, time.Since(began).Round(10*time.Millisecond), rec.Error, len(b), len(rec.Disturbances))
}

// pause lets time pass that is measured.
func pause(d time.Duration) { <-time.After(d) }
