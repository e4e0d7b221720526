package scenario

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"throng/internal/demo"
	"throng/test/built"
)

const soakScript = `
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Trend } from 'k6/metrics';
const t = new Trend('mine', true);
export const options = { scenarios: { s: { executor: 'constant-vus', vus: 20, duration: __ENV.SOAK, gracefulStop: '5s' } } };
export default function () {
  const res = http.get(__ENV.BASE_URL + '/json');
  check(res, { 'three items': (r) => r.json('items.#') === 3 });
  t.add(res.timings.duration);
  sleep(0.005);
}
`

// TestSoakMemoryStaysFlat runs for THRONG_SOAK (make soak) and compares the memory that is resident after a third of it
// with that at the end.
func TestSoakMemoryStaysFlat(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("THRONG_SOAK"))
	if err != nil {
		t.Skip("runs for THRONG_SOAK: make soak")
	}
	s, err := demo.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	run := exec.Command(built.Path(t), "run", "--quiet", "-e", "BASE_URL="+s.URL(), "-e", "SOAK="+length.String(), "-")
	var out strings.Builder
	run.Stdin, run.Stdout, run.Stderr = strings.NewReader(soakScript), &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	<-time.After(length / 3)
	early := resident(t, run.Process.Pid)
	<-time.After(length/3*2 - length/50)
	late := resident(t, run.Process.Pid)
	if err := run.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("resident: %d KiB after a third, %d KiB at the end\n%s", early, late, &out)
	if late > early+early/4+8<<10 {
		t.Errorf("memory grew from %d to %d KiB", early, late)
	}
}

// resident is VmRSS of proc(5), in KiB.
func resident(t *testing.T, pid int) (kib int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("memory is read from Linux' /proc: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kib
}
