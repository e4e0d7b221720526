package httpc
import ("testing";"os";"time";"crypto/tls";"strings";"net/url")
func TestProbe(t *testing.T) {
	if os.Getenv("RESET")=="" { t.Skip() }
	cfg := Config{TLS:&tls.Config{InsecureSkipVerify: os.Getenv("SKIP")=="1"}}
	if p := os.Getenv("PROXY"); p != "" { cfg.Proxy = func(*url.URL)(*url.URL,error){ return url.Parse(p) } }
	c := NewShared(cfg).NewClient()
	do := func(label, m, u string, body []byte) {
		x, err := ParseURL(u); if err != nil { t.Fatal(err) }
		var r Response
		err = c.Do(&Request{Method:m,URL:x,Body:body,Timeout:500*time.Millisecond}, &r)
		code := 0; var cause error
		if e, ok := err.(*Error); ok { code = e.Code; cause = e.Cause }
		ti := r.Times
		t.Logf("%s %d %v %d %q %s %v b%v c%v t%v s%v w%v r%v\n\t\t%v", label, r.Status, err, code, r.Body, r.StatusText, r.RemoteAddr, ti.Blocked,ti.Connecting,ti.TLSHandshaking,ti.Sending,ti.Waiting,ti.Receiving, cause)
	}
	if os.Getenv("PROXY") != "" { do("http","GET","http://a.test/",nil); do("https","GET","https://a.test/",nil); return }
	for _, n := range strings.Fields("RESET RESETBODY STALLBODY STALL CLOSED NOREAD") { do(n,"GET","http://"+os.Getenv(n)+"/",nil) }
	for _, n := range strings.Fields("EARLY NOREAD") { do(n,"POST","http://"+os.Getenv(n)+"/",make([]byte,8000000)) }
	for _, n := range strings.Fields("EXPIRED TLSCLOSE TLSALERT TLSOLD SLOWTLS SLOWTLS H2AWAY H2AWAY1 H2RST H2RSTX H2BAD H2BIG H2CLOSE H2NOEND") { do(n,"GET","https://"+os.Getenv(n)+"/",nil) }
	do("port","GET","http://127.0.0.1:99999/",nil)
	do("name","GET","http://nope.invalid/",nil)
	do("ftp","GET","ftp://nope.invalid/",nil)
	do("meth","A B","http://127.0.0.1:99999/",nil)
}
