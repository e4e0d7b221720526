package k6http

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grafana/sobek"

	"throng/internal/load/k6/scope"
	"throng/internal/load/k6/scopetest"
	"throng/internal/plan"
)

// rig is a virtual user with http and the address BASE of a server.
func rig(t testing.TB, o plan.Options, h http.HandlerFunc) *scopetest.Rig {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	r := scopetest.New(t)
	r.Test.Options = &o
	e, err := New(r.VU)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Runtime.Set("http", e.Default)
	_ = r.Runtime.Set("BASE", srv.URL)
	t.Cleanup(func() {
		for _, f := range r.OnClose {
			f()
		}
	})
	return r
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("X-Two", "a")
	w.Header().Add("X-Two", "b")
	fmt.Fprintf(w, `{"z":1,"a":[1,{"b":"%s"}],"n":null}`, r.URL.Path)
}

func expect(t *testing.T, r *scopetest.Rig, src, want string) {
	t.Helper()
	if got := r.Run(src); got != want {
		t.Errorf("%s\n got %s\nwant %s", src, got, want)
	}
}

func TestResponseLooksLikeAPlainObject(t *testing.T) {
	r := rig(t, plan.Options{}, answer)
	r.Run(`var res = http.get(BASE + '/x')`)
	const fields = "remote_ip,remote_port,url,status,status_text,proto,headers,cookies,body,timings,tls_version,tls_cipher_suite,ocsp,error,error_code,request,clickLink,html,json,submitForm"
	for _, tt := range []struct{ src, want string }{
		{`Object.keys(res).join()`, `"` + fields + `"`},
		{`Object.keys({...res}).join()`, `"` + fields + `"`},
		{`Object.keys(JSON.parse(JSON.stringify(res))).join()`, `"` + strings.TrimSuffix(fields, ",clickLink,html,json,submitForm") + `"`},
		{`['status' in res, 'nope' in res, res.hasOwnProperty('json'), typeof res.nope]`, `[true,false,true,"undefined"]`},
		{`Object.keys(res.timings).join()`, `"duration,blocked,looking_up,connecting,tls_handshaking,sending,waiting,receiving"`},
		{`[res.headers['X-Two'], res.headers === res.headers, Math.abs(res.timings.duration - res.timings.sending - res.timings.waiting - res.timings.receiving) < 1e-9]`, `["a, b",true,true]`},
		{`(res.status = 201, res.mine = 1, delete res.proto, [res.status, res.mine, 'proto' in res, Object.keys(res).length])`, `[201,1,false,20]`},
		{`(res.body = '{"swapped":true}', res.json())`, `{"swapped":true}`},
		{`(res.timings.duration = 5, res.timings.duration)`, `5`},
	} {
		expect(t, r, tt.src, tt.want)
	}
}

func TestMethodsWorkWithoutTheirResponse(t *testing.T) {
	r := rig(t, plan.Options{}, answer)
	for _, tt := range []struct{ src, want string }{
		{`(() => { const { json } = http.get(BASE + '/one'); return json('a.1.b') })()`, `"/one"`},
		{`(() => { const a = http.get(BASE + '/a'), b = http.get(BASE + '/b'), f = a.json; b.json(); const g = b.json; a.json(); return [f('a.1.b'), g('a.1.b')] })()`, `["/a","/b"]`},
		{`['/a', '/b', '/c'].map((p) => http.get(BASE + p).json).map((f) => f('a.1.b'))`, `["/a","/b","/c"]`},
		{`(() => { const a = http.get(BASE + '/a'), b = http.get(BASE + '/b'); return a.json('a.' + b.json('z') + '.b') })()`, `"/a"`},
	} {
		expect(t, r, tt.src, tt.want)
		r.OnIterationStart[0]()
	}
}

func TestGetWithoutParamsAllocatesLittle(t *testing.T) {
	r := scopetest.New(t)
	r.Test.Options = &plan.Options{DiscardResponseBodies: plan.Some(true)}
	e, _ := New(r.VU)
	_ = r.Runtime.Set("http", e.Default)
	_ = r.Runtime.Set("BASE", canned(t, "{}"))
	f := r.Func(`(() => { http.get(BASE) })`)
	call := func() {
		if _, err := f(sobek.Undefined()); err != nil {
			t.Fatal(err)
		}
		r.Test.Meter.Drain()
	}
	call()
	// The object, the engine's half of it, the response, its head bytes, and the engine's stack.
	if got := testing.AllocsPerRun(200, call); got > 14 {
		t.Errorf("%v allocations for a get and for keeping its raw samples, want at most 14", got)
	}
}

func TestEveryHopIsCounted(t *testing.T) {
	r := rig(t, plan.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if n := strings.TrimPrefix(r.URL.Path, "/"); n == "2" || n == "1" {
			http.Redirect(w, r, map[string]string{"2": "/1", "1": "/0"}[n], http.StatusFound)
		}
	})
	r.Test.SystemTags = scope.SystemTagsOf([]string{"name", "status", "error_code", "expected_response"})
	expect(t, r, `[http.get(BASE + '/2').url === BASE + '/0', http.get(BASE + '/2', {redirects: 1}).status, http.get('http://%zz').error_code]`, `[true,302,1020]`)
	n := map[string]int{}
	for _, s := range r.Samples() {
		if strings.HasPrefix(s, "http_reqs") {
			n[s[strings.LastIndex(s, "status="):]]++
		}
	}
	if n["status=302"] != 4 || n["status=200"] != 1 || len(n) != 2 {
		t.Errorf("got %v, want four 302 and one 200", n)
	}
}

func TestBatchKeepsToItsLimits(t *testing.T) {
	var now, most atomic.Int64
	hold := make(chan struct{})
	r := rig(t, plan.Options{Batch: plan.Some[int64](4), BatchPerHost: plan.Some[int64](3)}, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 3 {
			close(hold) // three are here together, and there must be no fourth before one leaves
		}
		<-hold
		now.Add(-1)
	})
	expect(t, r, `http.batch(Array(3).fill(BASE)).map((x) => x.status)`, `[200,200,200]`)
	if most.Load() != 3 {
		t.Errorf("%d at once, want 3", most.Load())
	}
	expect(t, r, `JSON.stringify(http.batch({a: BASE, b: 5, c: ['GET']}), ['a', 'b', 'c', 'status', 'error_code'])`,
		`"{\"a\":{\"status\":200,\"error_code\":0},\"b\":{\"status\":0,\"error_code\":1020},\"c\":{\"status\":0,\"error_code\":0}}"`)
}

func TestQueueNeverExceedsAHost(t *testing.T) {
	s := &shared{batch: 100, perHost: 2}
	jobs := make([]job, 9)
	for i := range jobs {
		jobs[i].call = &call{hop: hop{target: newTarget(fmt.Sprintf("http://h%d/", i%2))}}
	}
	q := newQueue(s, jobs)
	out := map[string]int{}
	var taken []int
	for range 4 {
		i, ok := q.next()
		if !ok {
			t.Fatal("nothing to do")
		}
		taken = append(taken, i)
		out[jobs[i].call.target.url.Host]++
	}
	if out["h0"] != 2 || out["h1"] != 2 {
		t.Fatalf("at work: %v, want two for each host", out)
	}
	q.done(taken[1]) // of h1
	if i, _ := q.next(); jobs[i].call.target.url.Host != "h1" {
		t.Errorf("took %s, want h1: h0 is full", jobs[i].call.target.url.Host)
	}
}

func TestAnInterruptedRequestIsNotCounted(t *testing.T) {
	arrived := make(chan struct{})
	r := rig(t, plan.Options{}, func(_ http.ResponseWriter, req *http.Request) {
		close(arrived)
		<-req.Context().Done()
	})
	ctx, cancel := context.WithCancel(r.Context)
	r.Context = ctx
	of(r.VU).connect()
	go func() {
		<-arrived
		cancel()
		r.OnInterrupt.Call()
	}()
	r.Run(`http.get(BASE)`)
	if got := r.Samples(); len(got) != 0 {
		t.Errorf("counted %v", got)
	}
}

func TestAsyncRequestsAreReal(t *testing.T) {
	r := rig(t, plan.Options{}, answer)
	r.Run(`var out = []; http.asyncRequest('GET', BASE + '/x').then((x) => out.push(x.json('a.1.b')));
		http.asyncRequest('GET', 'http://127.0.0.1:1', null, {throw: true}).catch((e) => out.push(e instanceof Error)); out.push('first')`)
	expect(t, r, `[out[0], out.length, out.includes('/x'), out.includes(true)]`, `["first",3,true,true]`)
}

func TestBinaryBodiesShareNothing(t *testing.T) {
	r := rig(t, plan.Options{}, answer)
	expect(t, r, `(() => { const x = http.get(BASE, {responseType: 'binary'}), s = x.json('z'); new Uint8Array(x.body).fill(0x20); return [s, x.body instanceof ArrayBuffer] })()`, `[1,true]`)
	expect(t, r, `(() => { const b = new Uint8Array([65, 66]); const x = http.post(BASE, b.buffer); b[0] = 67; return x.request.body })()`, `"AB"`)
}

func TestBodiesGoOutAsTheyShould(t *testing.T) {
	r := rig(t, plan.Options{}, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s|%s", r.Header.Get("Content-Type"), b)
	})
	for _, tt := range []struct{ body, want string }{
		{`'text'`, `|text`},
		{`{b: [1, 2], a: 'x y', n: null}`, `application/x-www-form-urlencoded|a=x+y&b=1&b=2&n=`},
		{`new Uint8Array([1, 65, 66]).subarray(1)`, `|AB`},
		{`new Uint16Array([0x4241])`, `|AB`},
		{`new DataView(new Uint8Array([65, 66]).buffer, 1)`, `|B`},
		{`new String('boxed')`, `|boxed`},
	} {
		expect(t, r, `http.post(BASE, `+tt.body+`).body`, `"`+tt.want+`"`)
	}
}

func TestModuleCanBePatched(t *testing.T) {
	r := rig(t, plan.Options{}, answer)
	expect(t, r, `(() => { const get = http.get; http.get = (u) => get(u).status + 1; return [http.get(BASE), Object.keys(http).length, 'get' in http, delete http.put, http.put === undefined, 'put' in http] })()`, `[201,34,true,true,true,false]`)
}

func TestTheLimitOfRequestsIsSharedOut(t *testing.T) {
	for _, tt := range []struct{ share, want float64 }{{0, 10}, {1, 10}, {0.25, 2.5}} {
		s := newShared(&scope.Test{Options: &plan.Options{RPS: plan.Some[int64](10)}, Share: tt.share})
		if got := float64(s.limiter.Limit()); got != tt.want {
			t.Errorf("with a share of %v: %v requests a second, want %v", tt.share, got, tt.want)
		}
	}
}
