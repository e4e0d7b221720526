package trust

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"throng/internal/grid/cluster"
)

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// get returns what a path answered, with its status where that is not 200.
func get(c *http.Client, addr string, tokens ...Token) (string, error) {
	req, err := http.NewRequest(http.MethodGet, "https://"+addr+"/", http.NoBody)
	if err != nil {
		return "", err
	}
	for _, t := range tokens {
		t.Authorize(req.Header)
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		return fmt.Sprint(res.StatusCode, " ", strings.TrimSpace(string(b))), err
	}
	return string(b), err
}

// records is a Lookup in a map.
func records(recs ...cluster.Token) Lookup {
	return func(_ context.Context, id string) (cluster.Token, error) {
		for _, r := range recs {
			if r.ID == id {
				return r, nil
			}
		}
		return cluster.Token{}, cluster.ErrNotFound
	}
}

func TestATokenCountsBeforeACertificate(t *testing.T) {
	a, c := authority(t), at(noon)
	tok, rec := token(t, Viewer, 0)
	bad, _ := token(t, Operator, 0)
	addr := serve(t, node(t, a, "n1", c), who(records(rec), c))
	caller := as(t, node(t, a, "n2", c))
	for _, tt := range []struct {
		name   string
		tokens []Token
		want   string
	}{
		{"a certificate alone", nil, `HTTP/2.0 node "n2" (certificate)`},
		{"a viewer's token beside it", []Token{tok}, `HTTP/2.0 viewer "for ann" (token ` + tok.ID + `)`},
		{"a bad token beside it", []Token{bad}, "401 the token " + bad.ID + " is not known to this grid: it was deleted, or is of another one"},
	} {
		if got, err := get(caller, addr, tt.tokens...); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}
