package trust

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// asked is a renewal as it arrives: through JSON.
func asked(t *testing.T, id *Identity, hosts ...string) Renewal {
	t.Helper()
	r, err := id.Renewal(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Renewal
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestANodeThatSleptRenews(t *testing.T) {
	end := noon.Add(NodeLife)
	for _, tt := range []struct {
		name string
		now  time.Time
		want string // "" : renewed
	}{
		{"young", noon.Add(time.Minute), ""},
		{"due", noon.Add(3 * 24 * time.Hour), ""},
		{"expired a moment ago", end.Add(time.Second), ""},
		{"expired 90 days ago", end.Add(RenewableFor), ""},
		{"expired longer ago", end.Add(RenewableFor + time.Second), "the old one expired at 2026-03-08T12:00:00Z, and could be renewed until 2026-06-06T12:00:00Z: join again, with a token"},
	} {
		a, c := authority(t), at(noon)
		id := node(t, a, "n1", c)
		key := id.held.key
		c.t = tt.now
		r := asked(t, id)
		s, err := a.VerifyRenewal(r, c.t)
		if tt.want != "" {
			if !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		chain, err := a.Sign(r.CSR, s, c.t)
		if err != nil {
			t.Fatal(err)
		}
		if err := id.Install(chain); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		got, _ := id.Subject()
		want := Subject{Name: "n1", Role: Node, Hosts: []string{"localhost", "127.0.0.1"}, Identity: "of-n1"}
		if _, to := id.Span(); !reflect.DeepEqual(got, want) || !to.Equal(c.t.Add(NodeLife)) || id.held.key.Equal(key) {
			t.Errorf("%s: renewed for %+v until %v; a new key: %v", tt.name, got, to, !id.held.key.Equal(key))
		}
	}
}

func TestANodeThatMovedRenewsForItsNewHosts(t *testing.T) {
	a, c := authority(t), at(noon)
	r := asked(t, node(t, a, "n1", c), "10.0.0.9", "n1.example")
	s, err := a.VerifyRenewal(r, noon)
	if err != nil || !reflect.DeepEqual(s.Hosts, []string{"10.0.0.9", "n1.example"}) || s.Name != "n1" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestOnlyTheOwnerOfTheOldKeyRenews(t *testing.T) {
	a, c := authority(t), at(noon)
	id, other := node(t, a, "n1", c), node(t, a, "n2", c)
	_, csr := request(t, nil)
	key, err := encodeKey(id.held.key)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := Subject{Name: "n3", Role: Node, Hosts: []string{"n3"}}.template(noon)
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.issue(tmpl, id.held.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(r *Renewal)
		want   string
	}{
		{"nothing changed", func(*Renewal) {}, ""},
		{"another request", func(r *Renewal) { r.CSR = csr }, "not signed by"},
		{"another chain", func(r *Renewal) { r.Chain = asked(t, other).Chain }, "not signed by"},
		{"another certificate for the same key", func(r *Renewal) { r.Chain = encodeCerts(second, a.cert) }, "not signed by"},
		{"another time", func(r *Renewal) { r.At = r.At.Add(time.Second) }, "not signed by"},
		{"other hosts", func(r *Renewal) { r.Hosts = []string{"10.0.0.1"} }, "not signed by"},
		{"another's signature", func(r *Renewal) { r.Signature = asked(t, other).Signature }, "not signed by"},
		{"no signature", func(r *Renewal) { r.Signature = nil }, "not signed by"},
		{"signed by the new key", func(r *Renewal) { _ = r.sign(id.pending) }, "not signed by"},
		{"no chain", func(r *Renewal) { r.Chain = nil }, "must show the old certificate"},
		{"a key in the chain", func(r *Renewal) { r.Chain = append(r.Chain, key...) }, "and no key"},
		{"text for a chain", func(r *Renewal) { r.Chain = []byte("hello") }, "not PEM"},
		{"the authority's own certificate", func(r *Renewal) { r.Chain = encodeCerts(a.cert) }, "not a node's"},
		{"of long ago", func(r *Renewal) { r.At = noon.Add(-2 * Backdate); _ = r.sign(id.held.key) }, "set the clocks"},
		{"of the future", func(r *Renewal) { r.At = noon.Add(2 * Backdate); _ = r.sign(id.held.key) }, "set the clocks"},
	} {
		r := asked(t, id)
		tt.change(&r)
		_, err := a.VerifyRenewal(r, noon)
		if tt.want == "" && err == nil {
			continue
		}
		if tt.want == "" || !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestStrangersDoNotRenew(t *testing.T) {
	c := at(noon.Add(20 * 24 * time.Hour))
	a := authority(t)
	for name, id := range strangers(t, a, c) {
		_, err := a.VerifyRenewal(asked(t, id), c.now())
		if expired := name == "expired"; expired != (err == nil) { // the one who may
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerifyRenewal(f *testing.F) {
	a, c := authority(f), at(noon)
	r, err := node(f, a, "n1", c).Renewal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.Chain, r.CSR, r.Signature, r.At.Unix())
	f.Add([]byte(nil), []byte(nil), []byte(nil), int64(-1)<<63)
	f.Fuzz(func(t *testing.T, chain, csr, signature []byte, at int64) {
		s, err := a.VerifyRenewal(Renewal{Chain: chain, CSR: csr, Signature: signature, At: time.Unix(at, 0)}, noon)
		if err == nil && s.Name != "n1" {
			t.Errorf("renewed for %+v", s)
		}
	})
}
