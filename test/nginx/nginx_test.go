// A real web server counts what it was asked; these tests hold the summary to its access log.
package nginx

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"throng/test/built"
)

func TestMain(m *testing.M) { os.Exit(built.Main(m)) }

// server is a private nginx: its own folder, high ports, a certificate of its own.
type server struct {
	dir, clear, secure string
	process            *exec.Cmd
	complaints         bytes.Buffer
}

const config = `
{{USER}}
daemon off;
pid {{DIR}}/pid;
worker_processes 2;
events { worker_connections 512; }
http {
  log_format line '$status $server_protocol $request_method $uri';
  access_log {{DIR}}/access.log line;
  client_body_temp_path {{DIR}}/body; proxy_temp_path {{DIR}}/proxy; fastcgi_temp_path {{DIR}}/fastcgi;
  uwsgi_temp_path {{DIR}}/uwsgi; scgi_temp_path {{DIR}}/scgi;
  keepalive_requests 7;
  reset_timedout_connection on; # 444 then resets the connection instead of closing it
  server {
    listen {{CLEAR}};
    listen {{SECURE}} ssl http2;
    ssl_certificate {{DIR}}/cert.pem; ssl_certificate_key {{DIR}}/key.pem;
    location = /ok    { return 200 "ok\n"; }
    location = /one   { return 302 /two; }
    location = /two   { return 307 /ok; }
    location = /empty { return 204; }
    location = /gone  { return 410 "gone\n"; }
    location = /reset { return 444; }
    location = /slow  { proxy_pass {{UPSTREAM}}; }
    location = /short { keepalive_timeout 0; return 200 "once\n"; }
  }
}
`

// start runs nginx until the test ends, or skips the test where there is none.
func start(t *testing.T, free *ports) *server {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		if bin = "/usr/sbin/nginx"; !exists(bin) {
			t.Skip("needs nginx: apt-get install nginx-light")
		}
	}
	// The upstream never answers. It leaves when nginx does, which is when throng has given up.
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(upstream.Close)
	s := &server{dir: t.TempDir(), clear: free.take(t), secure: free.take(t)}
	certify(t, s.dir)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // else the workers could not reach the test's folder
	}
	text := strings.NewReplacer("{{USER}}", user, "{{DIR}}", s.dir, "{{CLEAR}}", s.clear, "{{SECURE}}", s.secure, "{{UPSTREAM}}", upstream.URL).Replace(config)
	if err := os.WriteFile(filepath.Join(s.dir, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = exec.Command(bin, "-p", s.dir, "-e", filepath.Join(s.dir, "error.log"), "-c", filepath.Join(s.dir, "nginx.conf"))
	s.process.Stdout, s.process.Stderr = &s.complaints, &s.complaints
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.process.Process.Kill() }) // an error says that it has ended already
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for range 500 {
		if c, err := net.Dial("tcp", s.clear); err == nil {
			_ = c.Close()
			return s
		}
		<-retry.C
	}
	t.Fatalf("nginx does not listen: %s", &s.complaints)
	return nil
}

// lines ends nginx in good order, so that everything is in its log, and returns the log.
func (s *server) lines(t *testing.T) []string {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	if err := s.process.Wait(); err != nil {
		t.Fatalf("nginx: %v\n%s", err, &s.complaints)
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }

// ports hands out addresses that only their owner will use: never the same twice, and below the ports that connections
// leave from. A port that the system chose could be chosen again before nginx listens on it.
type ports struct {
	mu   sync.Mutex
	next int
}

func (p *ports) take(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", p.next)
		p.next++
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatalf("no free port below %d", p.next)
	return ""
}

func certify(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// requests runs a script whose target is base, and returns how many requests the summary counts.
func requests(t *testing.T, base, body string, extra ...string) int {
	t.Helper()
	dir := t.TempDir()
	script := "import http from 'k6/http';\nimport { sleep } from 'k6';\nconst B = __ENV.BASE;\n" + body
	if err := os.WriteFile(filepath.Join(dir, "script.js"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"run", "--quiet", "--summary-export", "out.json", "--insecure-skip-tls-verify", "-e", "BASE=" + base}, extra...)
	run := exec.CommandContext(t.Context(), built.Path(t), append(args, "script.js")...)
	run.Dir = dir
	said, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("throng: %v\n%s", err, said)
	}
	var out struct {
		Metrics struct {
			Requests struct{ Count int } `json:"http_reqs"`
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out.Metrics.Requests.Count
}

func TestSummaryCountsWhatNginxLogs(t *testing.T) {
	free := &ports{next: 22000 + os.Getpid()%5000}
	for _, play := range []struct {
		name, script string
		args         []string
		want         int // requests; 0: whatever both say
		holds        string
	}{
		{
			name: "keep-alive, with connections that nginx closes after seven requests", want: 5 * 60, holds: "200 ",
			script: "export const options = { vus: 5, iterations: 300 }; export default function () { http.get(`${B}/ok`); }",
		},
		{
			name: "a connection for each request", want: 100, holds: "200 ", args: []string{"--no-connection-reuse"},
			script: "export const options = { vus: 5, iterations: 100 }; export default function () { http.get(`${B}/ok`); }",
		},
		{
			name: "redirects, each hop a request", want: 60 * 3, holds: "307 ",
			script: "export const options = { vus: 3, iterations: 60 }; export default function () { http.get(`${B}/one`); }",
		},
		{
			name: "timeouts", want: 20 * 2, holds: "499 ",
			script: "export const options = { vus: 5, iterations: 20 }; export default function () { http.get(`${B}/slow`, { timeout: '200ms' }); http.get(`${B}/ok`); }",
		},
		{
			name: "connections that are reset without an answer", want: 30 * 3, holds: "444 ",
			// The timeout bounds a client that tries again and again without telling anyone.
			script: "const T = { timeout: '300ms' }; export const options = { vus: 3, iterations: 30 }; export default function () { http.get(`${B}/ok`); http.get(`${B}/reset`, T); http.post(`${B}/reset`, 'x', T); }",
		},
		{
			name: "methods, bodies, empty answers, batches", want: 30 * 7, holds: "410 ",
			script: "export const options = { vus: 3, iterations: 30 }; export default function () { http.post(`${B}/ok`, 'x'.repeat(5000)); http.head(`${B}/ok`); http.del(`${B}/gone`); http.get(`${B}/empty`); http.batch([`${B}/ok`, `${B}/short`, `${B}/gone`]); }",
		},
		{
			name: "idle between requests", want: 2 * 3 * 2, holds: "200 ",
			script: "export const options = { scenarios: { s: { executor: 'per-vu-iterations', vus: 2, iterations: 3 } } }; export default function () { http.get(`${B}/short`); sleep(0.2); http.get(`${B}/ok`); }",
		},
	} {
		for _, secure := range []bool{false, true} {
			name := play.name + ", clear text"
			if secure {
				name = play.name + ", TLS and HTTP/2"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := start(t, free)
				base, protocol := "http://"+s.clear, "HTTP/1.1"
				if secure {
					base, protocol = "https://"+s.secure, "HTTP/2.0"
				}
				counted := requests(t, base, play.script, play.args...)
				logged := s.lines(t)
				if counted != len(logged) {
					t.Errorf("the summary counts %d requests, nginx logged %d: %s", counted, len(logged), tally(logged))
				}
				if play.want != 0 && counted != play.want {
					t.Errorf("the script makes %d requests, the summary counts %d: %s", play.want, counted, tally(logged))
				}
				all := strings.Join(logged, "\n")
				if !strings.Contains(all, play.holds) || !strings.Contains(all, protocol) {
					t.Errorf("nginx was not asked as intended (%q over %s): %s", play.holds, protocol, tally(logged))
				}
			})
		}
	}
}

// tally counts equal lines, for a reader.
func tally(lines []string) string {
	m := map[string]int{}
	for _, l := range lines {
		m[l]++
	}
	return fmt.Sprint(m)
}
