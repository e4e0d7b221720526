package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"throng/internal/grid/runner"
	"throng/internal/run"
	"throng/test/built"
)

// nodeJob is the environment variable that makes this test binary a node with one runner, which it has run.
const nodeJob = "THRONG_TEST_NODE_JOB"

func TestMain(m *testing.M) {
	if job := os.Getenv(nodeJob); job != "" {
		beNode(job)
	}
	os.Exit(built.Main(m))
}

// beNode starts the runner of a job, prints its process's number once it runs, and lives until it is killed.
func beNode(text string) {
	var job run.Job
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		panic(err)
	}
	s := runner.NewSpawner()
	go s.Run(context.Background())
	r, err := runner.Start(context.Background(), runner.Config{Command: []string{os.Getenv("THRONG_BIN"), "runner"}, Job: job, Spawner: s})
	if err != nil {
		panic(err)
	}
	if _, err := r.Init(context.Background()); err != nil {
		panic(err)
	}
	go func() { _ = r.Run(context.Background(), run.Begin{}) }()
	<-r.Updated() // its answer to Init
	<-r.Updated() // a second of Run
	fmt.Println(r.Pid())
	<-r.Done()
	fmt.Println(r.Err())
	os.Exit(1)
}

// node starts a node in a process of its own, and returns it and its runner's pidfd.
func node(t *testing.T, job run.Job) (*os.Process, int) {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), nodeJob+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatalf("the node did not get its runner to run: %v", err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead already
		_ = cmd.Wait()
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // so may this one
		_ = unix.Close(fd)
	})
	return cmd.Process, fd
}

// gone waits until the process of a pidfd has ended and returns how long that took.
func gone(t *testing.T, fd int, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(0, within-time.Since(began)).Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			t.Fatal(err)
		case n == 0:
			t.Fatalf("the runner lives on after %v", within)
		}
		return time.Since(began)
	}
}

const (
	idle = `export default function () {}`
	busy = `export default function () { for (;;) {} }`
)

func TestNoRunnerOutlivesItsNode(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]string{"a runner that waits": `{"scenarios": {"s": {"executor": "constant-arrival-rate", "rate": 1, "duration": "1h", "preAllocatedVUs": 1}}}`,
		"a runner whose scripts compute": `{"vus": 200, "duration": "1h"}`} {
		script := idle
		if strings.Contains(name, "compute") {
			script = busy
		}
		n, fd := node(t, run.Job{Bundle: packed(t, script, options, nil)})
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s ended %v after its node was killed", name, gone(t, fd, time.Second))
	}
}

func TestARunnerOfAFrozenNodeStops(t *testing.T) {
	t.Parallel()
	for name, job := range map[string]run.Job{
		"a runner that waits":            {Bundle: packed(t, idle, `{"scenarios": {"s": {"executor": "constant-arrival-rate", "rate": 1, "duration": "1h", "preAllocatedVUs": 1}}}`, nil)},
		"a runner whose scripts compute": {Bundle: packed(t, busy, `{"vus": 200, "duration": "1h"}`, nil)},
	} {
		n, fd := node(t, job)
		if err := n.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s ended %v after its node was frozen", name, gone(t, fd, 3*time.Second+500*time.Millisecond))
	}
}

// TestABusyRunnerKeepsItsLease has many more scripts compute than there are processors, for longer than a lease.
func TestABusyRunnerKeepsItsLease(t *testing.T) {
	if testing.Short() {
		t.Skip("it keeps every processor busy for seconds")
	}
	t.Parallel()
	path := packed(t, busy, `{"vus": 100, "duration": "1h"}`, nil)
	r, _ := start(t, run.Job{Bundle: path}, nil)
	if _, err := r.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-r.Updated()
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, run.Begin{}) }()
	for range 4 {
		select {
		case <-r.Updated():
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-time.After(30 * time.Second):
			t.Fatal("it does not speak")
		}
	}
	began := time.Now()
	cancel(errors.New("enough"))
	if err := <-ended; err == nil || err.Error() != "enough" {
		t.Errorf("it ended with %v", err)
	}
	t.Logf("it ended %v after it was told to", time.Since(began))
}

func TestARunnerIsNicerThanItsNode(t *testing.T) {
	t.Parallel()
	r, _ := start(t, run.Job{Bundle: packed(t, idle, "{}", nil)}, nil)
	if _, err := r.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", r.Pid()))
	if err != nil || len(tasks) == 0 {
		t.Fatal(err)
	}
	for _, task := range tasks {
		var tid int
		if _, err := fmt.Sscan(task.Name(), &tid); err != nil {
			t.Fatal(err)
		}
		if p, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err == nil && (20-p) < (20-own)+5 && (20-p) < 19 {
			t.Errorf("thread %d has niceness %d, we have %d", tid, 20-p, 20-own)
		}
	}
	pgid, err := unix.Getpgid(r.Pid())
	if err != nil || pgid != r.Pid() {
		t.Errorf("its group is %d, %v", pgid, err)
	}
}

func TestTheKernelKillsARunnerBeforeItsNode(t *testing.T) {
	t.Parallel()
	r, _ := start(t, run.Job{Bundle: packed(t, `export default function () {}`, `{}`, nil)}, nil)
	if _, err := r.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	score := func(pid string) (n int) {
		b, err := os.ReadFile("/proc/" + pid + "/oom_score_adj")
		if err == nil {
			_, err = fmt.Sscan(string(b), &n)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if node, runner := score("self"), score(fmt.Sprint(r.Pid())); runner != 500 || node >= runner {
		t.Errorf("the node has %d, its runner %d", node, runner)
	}
}
