package httpc
import ("testing";"os";"time";"sync";"syscall";"runtime";"strconv")
func TestLoad(t *testing.T) {
	addr := os.Getenv("ADDR"); if addr=="" { t.Skip() }
	vus, _ := strconv.Atoi(os.Getenv("VUS"))
	n, _ := strconv.Atoi(os.Getenv("N"))
	runtime.GOMAXPROCS(1)
	s := NewShared(Config{})
	u, _ := ParseURL("http://"+addr+"/")
	var wg sync.WaitGroup
	var a, b syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &a)
	begin := time.Now()
	for range vus { wg.Go(func(){
		c := s.NewClient(); defer c.Close()
		var r Response
		req := &Request{Method:"GET",URL:u,Header:[]Field{{"User-Agent","k6/x"}},Timeout:60*time.Second}
		for range n/vus { if err := c.Do(req,&r); err != nil { t.Error(err); return } }
	}) }
	wg.Wait()
	syscall.Getrusage(syscall.RUSAGE_SELF, &b)
	cpu := time.Duration(b.Utime.Nano()+b.Stime.Nano()-a.Utime.Nano()-a.Stime.Nano())
	t.Logf("vus %d: cpu/req %v wall/req %v user %v", vus, cpu/time.Duration(n), time.Since(begin)/time.Duration(n), time.Duration(b.Utime.Nano()-a.Utime.Nano())/time.Duration(n))
}
