package cluster

import (
	"strings"
	"testing"
)

func TestRecordsKeepTheirVersion(t *testing.T) {
	b, err := Encode(Leader{Name: "h1", Term: 3})
	if err != nil || string(b) != `{"v":1,"name":"h1","term":3}` {
		t.Fatalf("%s, %v", b, err)
	}
	var back Leader
	if err := Decode(KV{Key: LeaderKey, Value: b}, &back); err != nil || back != (Leader{"h1", 3}) {
		t.Errorf("%v, %v", back, err)
	}
	if b, err := Encode(struct{}{}); err != nil || string(b) != `{"v":1}` {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := Encode([]int{1}); err == nil {
		t.Error("a list became a record")
	}
	for value, says := range map[string]string{`{"v":2,"name":"h1"}`: "version 2", `{"name":"h1"}`: "version 0", `[]`: "read", `{"v":1,"name":7}`: "read"} {
		if err := Decode(KV{Key: LeaderKey, Value: []byte(value)}, &back); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), LeaderKey) {
			t.Errorf("%s: %v", value, err)
		}
	}
}
