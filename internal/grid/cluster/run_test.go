package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func runOf(parts int) *Run {
	r := &Run{ID: "20260101-000000-abcde", State: Running, Submitted: time.Unix(1e9, 0).UTC()}
	for i := range parts {
		r.Parts = append(r.Parts, Part{
			ID: fmt.Sprint(i), Node: fmt.Sprintf("worker-%04d.example.org", i), Life: fmt.Sprintf("%012X", rand.Uint64()), Share: fmt.Sprintf("%d@1x%d", i, parts),
			Given: time.Unix(1e9, int64(i)).UTC(), Used: map[string]int64{"shoppers": int64(i)},
		})
	}
	return r
}

func TestARecordIsStoredWhateverItsSize(t *testing.T) {
	for _, parts := range []int{0, 3, 100, 1000, 5000} {
		r := runOf(parts)
		b, err := r.Encode()
		if err != nil || len(b) > MaxValue {
			t.Fatalf("%d parts: %d bytes, %v", parts, len(b), err)
		}
		if plain := b[0] == '{'; plain != (parts <= 3) && parts != 100 {
			t.Errorf("%d parts: as JSON: %v", parts, plain)
		}
		if got, err := DecodeRun(b); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%d parts came back as another record, %v", parts, err)
		}
		t.Logf("%d parts are stored in %d bytes", parts, len(b))
	}
	if _, err := runOf(50_000).Encode(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("what nobody can store: %v", err)
	}
	if _, err := DecodeRun([]byte{0x1f, 0x8b, 8, 0}); err == nil {
		t.Error("a torn record was read")
	}
}

func TestDisturbancesAreToldInOrderOfTime(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 1, 1, 0, 0, s, 0, time.UTC) }
	var r Run
	for _, d := range []Disturbance{{At: at(5), What: "b"}, {At: at(1), What: "a"}, {At: at(5), What: "c"}} {
		r.Disturb(d)
	}
	var told string
	for _, d := range r.Disturbances {
		told += d.What
	}
	if told != "abc" {
		t.Errorf("told %s", told)
	}
}

func TestSpreadTellsHowFarApartNodesBegan(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	part := func(of string, after, offset, within time.Duration) Part {
		return Part{Of: of, Began: began.Add(after * time.Millisecond), Offset: offset * time.Millisecond, Within: within * time.Millisecond}
	}
	for _, tt := range []struct {
		name  string
		parts []Part
		want  Spread
	}{
		{"nobody", nil, Spread{}},
		{"one", []Part{part("", 3, 4, 1), {Node: "never began"}}, Spread{}},
		{"three", []Part{part("", 3, -4, 1), part("", 0, 0, 0), part("", 1, 2, 2)}, Spread{3, 3 * time.Millisecond, 6 * time.Millisecond, 2 * time.Millisecond}},
		{"who takes over begins later", []Part{part("", 0, 0, 0), part("", 1, 0, 0), part("0", 9000, 9, 9)}, Spread{2, time.Millisecond, 0, 0}},
	} {
		if got := SpreadOf(tt.parts); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
