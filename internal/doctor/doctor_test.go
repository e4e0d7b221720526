package doctor

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// roomy is a host that nothing is wrong with: a Debian server with its default settings, 4 cores and 8 GiB.
func roomy() Host {
	return Host{
		OS: "linux", Cores: 4, MemoryAvailable: 8 << 30, OpenFiles: 1 << 20, OpenFilesHard: 1 << 20, OpenFilesKernel: 1 << 20,
		OpenFilesSystem: 1 << 62, PortLow: 32768, PortHigh: 60999, TimeWaitReuse: 2, Interface: "eth0", Addresses: []string{"10.0.0.5"},
	}
}

// lines are the mends, by what they mend.
func lines(all []Finding) map[string]string {
	m := map[string]string{}
	for _, f := range all {
		if f.Short {
			m[f.What] = f.Mend
		}
	}
	return m
}

func TestShortfallsAreMendedByTheirLine(t *testing.T) {
	for _, tt := range []struct {
		name   string
		need   Need
		change func(*Host)
		want   map[string]string
	}{
		{"a small test fits a plain host", Need{VUs: 100, RatePerSecond: 1000}, nil, map[string]string{}},
		{"open files within what a user may do", Need{VUs: 5000}, func(h *Host) { h.OpenFiles = 1024 },
			map[string]string{"open files": "ulimit -n 5128"}},
		{"open files beyond the hard limit", Need{VUs: 5000}, func(h *Host) { h.OpenFiles, h.OpenFilesHard = 1024, 4096 },
			map[string]string{"open files": "sudo prlimit --pid $$ --nofile=5128:5128"}},
		{"open files beyond the kernel's", Need{VUs: 5000}, func(h *Host) { h.OpenFiles, h.OpenFilesHard, h.OpenFilesKernel = 1024, 4096, 4096 },
			map[string]string{"open files": "sudo sysctl -w fs.nr_open=5128 && sudo prlimit --pid $$ --nofile=5128:5128"}},
		{"open files of the whole system", Need{VUs: 5000}, func(h *Host) { h.OpenFilesSystem = 8000 },
			map[string]string{"open files, whole system": "sudo sysctl -w fs.file-max=10256"}},
		{"more users than ports", Need{VUs: 30000}, nil,
			map[string]string{"port range": `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`}},
		{"new connections fill the range with closed ones", Need{VUs: 100, ConnectionsPerSecond: 800}, nil,
			map[string]string{"port range": `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`}},
		{"so many that closed ones must be used again", Need{VUs: 100, ConnectionsPerSecond: 5000}, nil,
			map[string]string{"port range": `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`, "time-wait reuse": "sudo sysctl -w net.ipv4.tcp_tw_reuse=1"}},
		{"the loopback reuses them anyway", Need{VUs: 100, ConnectionsPerSecond: 5000, Loopback: true}, nil, map[string]string{}},
		{"several targets share the range", Need{VUs: 30000, Targets: 2}, nil, map[string]string{}},
		{"addresses that are there already", Need{VUs: 100000, RatePerSecond: 1}, func(h *Host) {
			h.MemoryAvailable, h.PortLow, h.PortHigh = 1<<40, 1024, 65535
			h.Addresses = []string{"10.0.0.5", "10.0.0.6", "10.0.0.7"}
		}, map[string]string{"source addresses": "throng run --local-ips 10.0.0.5,10.0.0.6 SCRIPT"}},
		{"addresses of the loopback", Need{VUs: 150000, Loopback: true}, func(h *Host) { h.MemoryAvailable, h.PortLow, h.PortHigh = 1<<40, 1024, 65535 },
			map[string]string{"source addresses": "throng run --local-ips 127.0.0.1-127.0.0.3 SCRIPT"}},
		{"too few cores", Need{VUs: 10, RatePerSecond: 100000}, nil,
			map[string]string{"cores": "throng run --execution-segment 0:1/2 --execution-segment-sequence 0,1/2,1 SCRIPT"}},
		{"too little memory", Need{VUs: 1000}, func(h *Host) { h.MemoryAvailable = 128 << 20 },
			map[string]string{"memory": "throng run --execution-segment 0:1/3 --execution-segment-sequence 0,1/3,2/3,1 SCRIPT"}},
		{"a firewall's table", Need{VUs: 1000, ConnectionsPerSecond: 400, Loopback: true}, func(h *Host) { h.Conntrack = 32768 },
			map[string]string{"tracked connections": "sudo sysctl -w net.netfilter.nf_conntrack_max=50024"}},
		{"nothing is said of what is unknown", Need{VUs: 1 << 30, RatePerSecond: 1e9}, func(h *Host) { *h = Host{OS: "zos", TimeWaitReuse: -1} }, map[string]string{}},
	} {
		h := roomy()
		if tt.change != nil {
			tt.change(&h)
		}
		got := lines(Check(tt.need, h))
		for what, line := range tt.want {
			if got[what] != line {
				t.Errorf("%s: %s is mended by %q, want %q", tt.name, what, got[what], line)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d shortfalls, want %d: %v", tt.name, len(got), len(tt.want), got)
		}
	}
}

func TestEveryShortfallHasItsLine(t *testing.T) {
	for _, os := range []string{"linux", "darwin", "freebsd", "windows", "zos"} {
		for _, vus := range []int64{0, 1, 1000, 40_000, 1_000_000} {
			for _, rate := range []float64{0, 100, 50_000, 1e7} {
				for _, loopback := range []bool{false, true} {
					h := roomy()
					h.OS, h.OpenFiles, h.Conntrack = os, 1024, 65536
					for _, f := range Check(Need{VUs: vus, RatePerSecond: rate, ConnectionsPerSecond: rate, Loopback: loopback}, h) {
						if f.Short != (f.Mend != "") || f.Short != (f.Why != "") || f.Have == "" || f.Want == "" {
							t.Errorf("%s, %d VUs, %g/s: %+v", os, vus, rate, f)
						}
					}
				}
			}
		}
	}
}

func TestProcIsReadAsLinuxWritesIt(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	h := Host{TimeWaitReuse: -1}
	proc(fstest.MapFS{
		"proc/sys/fs/nr_open":                     file("1048576\n"),
		"proc/sys/fs/file-max":                    file("9223372036854775807\n"),
		"proc/sys/net/ipv4/ip_local_port_range":   file("32768\t60999\n"),
		"proc/sys/net/ipv4/tcp_tw_reuse":          file("2\n"),
		"proc/sys/net/netfilter/nf_conntrack_max": file("65536\n"),
		"proc/meminfo":                            file("MemTotal:  8000000 kB\nMemFree:   100 kB\nMemAvailable:    4096 kB\n"),
		"sys/fs/cgroup/memory.max":                file("3145728\n"),
		"sys/fs/cgroup/memory.current":            file("1048576\n"),
	}, &h)
	if h.OpenFilesKernel != 1<<20 || h.PortLow != 32768 || h.PortHigh != 60999 || h.TimeWaitReuse != 2 || h.Conntrack != 65536 || h.MemoryAvailable != 2<<20 {
		t.Errorf("read %+v", h)
	}
	empty := Host{TimeWaitReuse: -1}
	proc(fstest.MapFS{"proc/meminfo": file("garbage"), "proc/sys/net/ipv4/ip_local_port_range": file("a\tb")}, &empty)
	if empty.MemoryAvailable != 0 || empty.PortHigh != 0 || empty.TimeWaitReuse != -1 {
		t.Errorf("garbage was read as %+v", empty)
	}
}

func TestThisHostCanBeRead(t *testing.T) {
	h := Read()
	if h.OS != runtime.GOOS || h.Cores < 1 {
		t.Errorf("read %+v", h)
	}
	if h.OS == "linux" && (h.OpenFiles == 0 || h.MemoryAvailable == 0) {
		t.Errorf("a Linux host has a limit on files and some memory: %+v", h)
	}
}

func TestRenderingsSayTheSame(t *testing.T) {
	n, h := Need{VUs: 5000}, roomy()
	h.OpenFiles = 1024
	all := Check(n, h)
	var text, doc bytes.Buffer
	if err := Text(&text, n, all); err != nil {
		t.Fatal(err)
	}
	if err := JSON(&doc, n, h, all); err != nil {
		t.Fatal(err)
	}
	var out struct {
		Fit      bool
		Findings []Finding
	}
	if err := json.Unmarshal(doc.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if out.Fit || len(out.Findings) != len(all) {
		t.Errorf("JSON says %+v", out)
	}
	for _, f := range all {
		if !strings.Contains(text.String(), f.What) || f.Short && !strings.Contains(text.String(), "\n  "+f.Mend+"\n") {
			t.Errorf("the text lacks %+v:\n%s", f, &text)
		}
	}
	text.Reset()
	if err := Text(&text, n, Check(Need{}, roomy())); err != nil || !strings.Contains(text.String(), "fit for the test") {
		t.Errorf("a host without shortfalls: %v\n%s", err, &text)
	}
}
