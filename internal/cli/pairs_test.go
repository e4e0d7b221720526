package cli

import (
	"maps"
	"testing"

	"github.com/spf13/pflag"
)

func TestPairsAreGivenOneByOneOrWithCommas(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want map[string]string // nil: refused
	}{
		{[]string{}, map[string]string{}},
		{[]string{"--where", "zone=a"}, map[string]string{"zone": "a"}},
		{[]string{"--where", "zone=a,disk=ssd", "--where=zone=b"}, map[string]string{"zone": "b", "disk": "ssd"}},
		{[]string{"--where", "url=a=b", "--where", "empty="}, map[string]string{"url": "a=b", "empty": ""}},
		{[]string{"--where", "zone"}, nil},
		{[]string{"--where", "=a"}, nil},
		{[]string{"--where", "zone=a,"}, nil},
	} {
		var got map[string]string
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		set.Var(pairs{&got}, "where", "")
		switch err := set.Parse(tt.args); {
		case err != nil && tt.want != nil, err == nil && tt.want == nil:
			t.Errorf("%q: %v", tt.args, err)
		case err == nil && !maps.Equal(got, tt.want):
			t.Errorf("%q: %v, want %v", tt.args, got, tt.want)
		}
	}
}
