package doctor

import (
	"fmt"
	"math"
	"runtime"
	"strings"
)

// Need is what a test is going to ask of its host. Zero fields ask for nothing, except where they say otherwise.
type Need struct {
	VUs                  int64   `json:"vus"`
	RatePerSecond        float64 `json:"ratePerSecond"`        // requests a second, all together
	ConnectionsPerSecond float64 `json:"connectionsPerSecond"` // new connections a second, all together
	ConnectionsPerVU     int64   `json:"connectionsPerVU"`     // open at once; 0: one
	Targets              int64   `json:"targets"`              // distinct address:port pairs; 0: one
	LocalAddresses       int64   `json:"localAddresses"`       // addresses given with --local-ips; 0: one, the system's choice
	Loopback             bool    `json:"loopback"`             // the target is on this host
}

// Host is what a host has. A zero (for TimeWaitReuse: negative) value means that it could not be found out, or has no
// bound; nothing is then said about it.
type Host struct {
	OS              string   `json:"os"` // as runtime.GOOS
	Cores           int      `json:"cores"`
	MemoryAvailable uint64   `json:"memoryAvailable"` // bytes
	OpenFiles       uint64   `json:"openFiles"`       // the limit of this process
	OpenFilesHard   uint64   `json:"openFilesHard"`   // how far a user may raise it
	OpenFilesKernel uint64   `json:"openFilesKernel"` // fs.nr_open: how far root may raise it
	OpenFilesSystem uint64   `json:"openFilesSystem"` // fs.file-max: all processes together
	PortLow         int      `json:"portLow"`         // ports for outgoing connections, both ends included
	PortHigh        int      `json:"portHigh"`
	TimeWaitReuse   int      `json:"timeWaitReuse"` // net.ipv4.tcp_tw_reuse: 0 off, 1 on, 2 on loopback
	Conntrack       uint64   `json:"conntrack"`     // net.netfilter.nf_conntrack_max
	Interface       string   `json:"interface"`     // of the first of Addresses
	Addresses       []string `json:"addresses"`     // IPv4, loopback left out
}

// Finding is one thing that was compared.
type Finding struct {
	What  string `json:"what"`
	Short bool   `json:"short"`
	Have  string `json:"have"`
	Want  string `json:"want"`
	Why   string `json:"why,omitempty"`
	Mend  string `json:"mend,omitempty"` // the line to run; empty unless Short
}

// What one core and one virtual user cost, on the careful side of what bench/run measures: a plan that these figures
// let through should not make the generator the bottleneck.
const (
	ratePerCore = 15_000    // requests a second, small answers, a check or two
	bytesPerVU  = 256 << 10 // a small script; one that keeps data weighs more
	bytesAtRest = 64 << 20
	spareFiles  = 128 // listeners, outputs, the script's own files
	widestLow   = 1024
	widestHigh  = 65535
	timeWait    = 60 // seconds that a closed connection holds its port (Linux: fixed; RFC 9293: two segment lifetimes)
	reuseWait   = 1  // seconds, with tcp_tw_reuse
)

// Check compares. It reads nothing: the same Need and Host give the same findings in the same order.
func Check(n Need, h Host) []Finding {
	n.ConnectionsPerVU, n.Targets, n.LocalAddresses = max(1, n.ConnectionsPerVU), max(1, n.Targets), max(1, n.LocalAddresses)
	var all []Finding
	for _, look := range []func(Need, Host) []Finding{openFiles, ports, conntrack, cores, memory} {
		all = append(all, look(n, h)...)
	}
	return all
}

// Capacity is what a host's cores and memory are good for: the need to check a host with when nothing is planned yet, so
// that no limit is in the way of what it could do.
func Capacity(h Host) Need {
	n := Need{VUs: 1000, RatePerSecond: ratePerCore * float64(max(1, h.Cores))}
	if room := int64(h.MemoryAvailable/2/bytesPerVU) / 1000 * 1000; room > n.VUs {
		n.VUs = min(room, 1000*int64(max(1, h.Cores)))
	}
	return n
}

// connections is how many are open at once when every virtual user has all of its own.
func (n Need) connections() int64 {
	return n.VUs * n.ConnectionsPerVU
}

func openFiles(n Need, h Host) []Finding {
	if h.OpenFiles == 0 {
		return nil
	}
	want := uint64(n.connections() + spareFiles)
	f := Finding{What: "open files", Have: amount(h.OpenFiles), Want: fmt.Sprint(want)}
	if h.OpenFiles < want {
		f.Short, f.Mend = true, openFilesLine(h, want)
		f.Why = "every connection is an open file of this process"
	}
	all := []Finding{f}
	if h.OpenFilesSystem != 0 {
		g := Finding{What: "open files, whole system", Have: amount(h.OpenFilesSystem), Want: fmt.Sprint(want * 2)}
		if h.OpenFilesSystem < want*2 {
			g.Short, g.Mend = true, fmt.Sprintf("sudo sysctl -w fs.file-max=%d", want*2)
			g.Why = "all processes share this limit; half is left to the others"
		}
		all = append(all, g)
	}
	return all
}

func openFilesLine(h Host, want uint64) string {
	switch {
	case h.OS == "darwin":
		return fmt.Sprintf("sudo launchctl limit maxfiles %d %d && ulimit -n %d", want, want, want)
	case h.OS == "freebsd":
		return fmt.Sprintf("sudo sysctl kern.maxfiles=%d kern.maxfilesperproc=%d && ulimit -n %d", want*2, want, want)
	case h.OpenFilesHard >= want || h.OS != "linux":
		return fmt.Sprintf("ulimit -n %d", want)
	}
	raise := fmt.Sprintf("sudo prlimit --pid $$ --nofile=%d:%d", want, want)
	if h.OpenFilesKernel != 0 && h.OpenFilesKernel < want {
		raise = fmt.Sprintf("sudo sysctl -w fs.nr_open=%d && %s", want, raise)
	}
	return raise
}

// ports looks at everything that lets an outgoing connection find a free (source address, source port, target) triple.
// The cheap remedies come first, and each finding assumes that those before it have been mended.
func ports(n Need, h Host) []Finding {
	if h.PortHigh < h.PortLow || h.PortHigh == 0 {
		return nil
	}
	var (
		room   = float64(n.LocalAddresses * n.Targets)
		have   = float64(h.PortHigh-h.PortLow+1) * room
		widest = float64(max(h.PortHigh, widestHigh)-min(h.PortLow, widestLow)+1) * room
		reuse  = h.TimeWaitReuse == 1 || h.TimeWaitReuse == 2 && n.Loopback || h.OS == "windows"
		held   = func(seconds float64) float64 { return float64(n.connections()) + n.ConnectionsPerSecond*seconds }
		now    = held(timeWait)
	)
	if reuse {
		now = held(reuseWait)
	}
	each := func(total float64) string { return fmt.Sprintf("%.0f", math.Ceil(total/room)) }

	p := Finding{What: "port range", Have: fmt.Sprintf("%d (%d-%d)", h.PortHigh-h.PortLow+1, h.PortLow, h.PortHigh), Want: each(now)}
	if now > have && have < widest {
		p.Short, p.Mend = true, portLine(h.OS)
		p.Why = "every open or just closed connection to a target holds a port"
	}
	t := Finding{What: "time-wait reuse", Have: onOff(h.TimeWaitReuse), Want: "any"}
	if now > widest {
		if !reuse && h.OS == "linux" && n.ConnectionsPerSecond > 0 {
			t.Short, t.Want, t.Mend = true, "on", "sudo sysctl -w net.ipv4.tcp_tw_reuse=1"
			t.Why = fmt.Sprintf("a closed connection holds its port for %d s, with reuse for %d s", timeWait, reuseWait)
			now = held(reuseWait)
		}
	}
	all := []Finding{p}
	if h.TimeWaitReuse >= 0 && h.OS == "linux" {
		all = append(all, t)
	}
	if now <= widest {
		return append(all, Finding{What: "source addresses", Have: fmt.Sprint(n.LocalAddresses), Want: fmt.Sprint(n.LocalAddresses)})
	}
	want := int64(math.Ceil(now / (widest / float64(n.LocalAddresses))))
	return append(all, Finding{
		What: "source addresses", Short: true, Have: fmt.Sprint(n.LocalAddresses), Want: fmt.Sprint(want),
		Why:  "one address has 64512 ports for each target; further addresses multiply them",
		Mend: addressLine(n, h, want),
	})
}

func portLine(os string) string {
	switch os {
	case "windows":
		return "netsh int ipv4 set dynamicport tcp start=1025 num=64511"
	case "darwin", "freebsd":
		return "sudo sysctl net.inet.ip.portrange.first=1024 net.inet.ip.portrange.last=65535"
	}
	return `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`
}

func addressLine(n Need, h Host, want int64) string {
	switch {
	case n.Loopback && want < 255:
		return fmt.Sprintf("throng run --local-ips 127.0.0.1-127.0.0.%d SCRIPT", want)
	case int64(len(h.Addresses)) >= want:
		return fmt.Sprintf("throng run --local-ips %s SCRIPT", strings.Join(h.Addresses[:want], ","))
	case h.OS != "linux" || len(h.Addresses) == 0:
		return parts((want + n.LocalAddresses - 1) / n.LocalAddresses)
	}
	// Which addresses are free only the network's owner knows; documentation addresses (RFC 5737) cannot be routed by
	// accident, and make plain what has to be put in their place.
	return fmt.Sprintf("for i in $(seq 1 %d); do sudo ip addr add 192.0.2.$i/24 dev %s; done  # put %d free addresses of your network here, then: throng run --local-ips FIRST-LAST SCRIPT",
		want-int64(len(h.Addresses)), h.Interface, want-int64(len(h.Addresses)))
}

func conntrack(n Need, h Host) []Finding {
	if h.Conntrack == 0 {
		return nil
	}
	want := uint64(float64(n.connections())+n.ConnectionsPerSecond*2*timeWait) + 1024
	f := Finding{What: "tracked connections", Have: fmt.Sprint(h.Conntrack), Want: fmt.Sprint(want)}
	if h.Conntrack < want {
		f.Short, f.Mend = true, fmt.Sprintf("sudo sysctl -w net.netfilter.nf_conntrack_max=%d", want)
		f.Why = "the firewall forgets, and drops, what does not fit its table; it keeps closed connections for 120 s"
	}
	return []Finding{f}
}

func cores(n Need, h Host) []Finding {
	if h.Cores == 0 {
		return nil
	}
	want := max(1, int64(math.Ceil(n.RatePerSecond/ratePerCore)))
	f := Finding{What: "cores", Have: fmt.Sprint(h.Cores), Want: fmt.Sprint(want)}
	if int64(h.Cores) < want {
		f.Short, f.Mend = true, parts((want+int64(h.Cores)-1)/int64(h.Cores))
		f.Why = fmt.Sprintf("a core sends about %d requests a second; run one such part on each of several hosts", ratePerCore)
	}
	return []Finding{f}
}

func memory(n Need, h Host) []Finding {
	if h.MemoryAvailable == 0 {
		return nil
	}
	want := uint64(n.VUs)*bytesPerVU + bytesAtRest
	f := Finding{What: "memory", Have: mib(h.MemoryAvailable), Want: mib(want)}
	if h.MemoryAvailable < want {
		f.Short, f.Mend = true, parts(int64((want+h.MemoryAvailable-1)/h.MemoryAvailable))
		f.Why = "a virtual user takes about 256 KiB; run one such part on each of several hosts"
	}
	return []Finding{f}
}

// parts is the line for the first of n hosts that share a test. Beyond 64 hosts nobody types the sequence: the segment
// alone still sends the right share, only which iteration numbers fall to whom is then each host's own affair.
func parts(n int64) string {
	n = max(2, n)
	if n > 64 {
		return fmt.Sprintf("throng run --execution-segment 0:1/%d SCRIPT", n)
	}
	bounds := []string{"0"}
	for i := int64(1); i < n; i++ {
		bounds = append(bounds, fmt.Sprintf("%d/%d", i, n))
	}
	return fmt.Sprintf("throng run --execution-segment 0:1/%d --execution-segment-sequence %s,1 SCRIPT", n, strings.Join(bounds, ","))
}

func amount(n uint64) string {
	if n > math.MaxInt64/2 {
		return "no limit"
	}
	return fmt.Sprint(n)
}

func mib(n uint64) string { return fmt.Sprintf("%d MiB", n>>20) }

func onOff(reuse int) string {
	switch reuse {
	case 0:
		return "off"
	case 1:
		return "on"
	case 2:
		return "on loopback only"
	}
	return "unknown"
}

// Short says whether any finding is.
func Short(all []Finding) bool {
	for _, f := range all {
		if f.Short {
			return true
		}
	}
	return false
}

// Read asks this host. What cannot be found out stays zero.
func Read() Host {
	h := Host{OS: runtime.GOOS, Cores: runtime.GOMAXPROCS(0), TimeWaitReuse: -1}
	h.Interface, h.Addresses = addresses()
	read(&h)
	return h
}
