package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
)

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// get returns what a node answered, with the status where that is not 200.
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

// records is a Lookup in a list.
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
	addr := serving(t, node(t, a, "n1", c), records(rec), c)
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
		if got, err := get(caller, addr, tt.tokens...); !strings.HasPrefix(got, tt.want) || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestAPinnedCallerIsWhatItsTokenSays(t *testing.T) {
	a, c := authority(t), at(noon)
	var recs []cluster.Token
	var toks []Token
	for _, role := range tokenRoles() {
		tok, rec, err := NewToken(role, a.Pin(), noon, time.Hour, "")
		if err != nil {
			t.Fatal(err)
		}
		toks, recs = append(toks, tok), append(recs, rec)
	}
	addr := serving(t, node(t, a, "n1", c), records(recs...), c)
	for _, tok := range toks {
		want := fmt.Sprintf("HTTP/2.0 %s (token %s)", tok.Role, tok.ID)
		if got, err := get(with(t, tok.Pin, c), addr, tok); err != nil || got != want {
			t.Errorf("%v: %q, %v", tok, got, err)
		}
	}
	c.t = noon.Add(time.Hour)
	if got, err := get(with(t, a.Pin(), c), addr, toks[0]); err != nil || got != "401 the token "+toks[0].ID+" expired at 2026-03-01T13:00:00Z" {
		t.Errorf("an hour later: %q, %v", got, err)
	}
}

func TestOnlyOneBearerTokenIsRead(t *testing.T) {
	tok, rec := token(t, Viewer, 0)
	bearer := "Bearer " + tok.Reveal()
	for _, tt := range []struct {
		name    string
		headers []string
		want    string // "" : identified
	}{
		{"as it should be", []string{bearer}, ""},
		{"in small letters", []string{"bearer " + tok.Reveal()}, ""},
		{"two", []string{bearer, bearer}, "must be one bearer token"},
		{"none in it", []string{""}, "must be one bearer token"},
		{"a password", []string{"Basic YTpi"}, "must be one bearer token"},
		{"no token behind it", []string{"Bearer"}, "the token is empty"},
		{"something else behind it", []string{"Bearer abc"}, "not a token of throng"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header["Authorization"] = tt.headers
		c, err := Identify(r, records(rec), noon)
		if tt.want == "" {
			if err != nil || c.Role != Viewer {
				t.Errorf("%s: %v, %v", tt.name, c, err)
			}
			continue
		}
		if !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "token") || c != (Caller{}) {
			t.Errorf("%s: %v, %v; want %q", tt.name, c, err, tt.want)
		}
	}
}

func TestATokenCannotBeLostOnTheWay(t *testing.T) {
	tok, rec := token(t, Viewer, 0)
	for connection, want := range map[string]bool{"": true, "keep-alive": true, "Authorization": false, "close, authorization": false} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		tok.Authorize(r.Header)
		r.Header.Set("Connection", connection)
		if c, err := Identify(r, records(rec), noon); (err == nil) != want || err == nil && c.Role != Viewer {
			t.Errorf("Connection %q: %v, %v", connection, c, err)
		}
	}
}

func TestAStoreThatIsAwayIsNotABadToken(t *testing.T) {
	tok, _ := token(t, Operator, 0)
	away := func(context.Context, string) (cluster.Token, error) { return cluster.Token{}, context.DeadlineExceeded }
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	tok.Authorize(r.Header)
	w := httptest.NewRecorder()
	Authenticate(http.NotFoundHandler(), away, at(noon).now, nil).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("WWW-Authenticate") != "" || !strings.Contains(w.Body.String(), "look up the token "+tok.ID) {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if _, err := Identify(r, away, noon); errors.Is(err, ErrUnauthenticated) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestTheRefusalIsTheCallersOwn(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("Authorization", "Bearer x")
	var told error
	Authenticate(http.NotFoundHandler(), noTokens, at(noon).now, func(_ http.ResponseWriter, err error) { told = err }).ServeHTTP(httptest.NewRecorder(), r)
	if !errors.Is(told, ErrUnauthenticated) {
		t.Errorf("told %v", told)
	}
}

func TestAViewerCannotActAsOperator(t *testing.T) {
	everybody := map[string]Caller{
		"nobody": {}, "node": {Name: "n1", Role: Node, Via: "certificate"}, "operator": {Role: Operator, Via: "token b"},
		"viewer": {Name: "ann", Role: Viewer, Via: "token a"}, "join": {Role: Join, Via: "token c"}, "trusted": {Role: Trusted, Via: "--insecure"},
	}
	for _, tt := range []struct {
		roles   []Role
		allowed string
		words   map[string]string
	}{
		{[]Role{Operator}, "operator trusted", map[string]string{
			"viewer": `viewer "ann" (token a) may not do this: it needs a token of role operator`,
			"nobody": "this needs a token of role operator, and none was given",
			"node":   `node "n1" (certificate) may not do this: it needs a token of role operator`,
		}},
		{[]Role{Operator, Viewer, Node}, "operator viewer node trusted", map[string]string{
			"join":   "join (token c) may not do this: it needs a token of role operator or viewer",
			"nobody": "this needs a token of role operator or viewer, and none was given",
		}},
		{[]Role{Join}, "join trusted", map[string]string{"operator": "operator (token b) may not do this: it needs a token of role join"}},
		{[]Role{Node}, "node trusted", map[string]string{"operator": "operator (token b) may not do this: it needs a node's certificate (a token is not enough)"}},
		{nil, "trusted", nil},
		{[]Role{Anonymous}, "trusted", nil}, // a role that is missing allows nobody
	} {
		for name, c := range everybody {
			err := Allow(c, tt.roles...)
			allowed := strings.Contains(" "+tt.allowed+" ", " "+name+" ")
			if (err == nil) != allowed {
				t.Errorf("%s where %v may: %v", name, tt.roles, err)
			}
			if want := tt.words[name]; want != "" && (err == nil || err.Error() != want) {
				t.Errorf("%s where %v may: %v, want %q", name, tt.roles, err, want)
			}
			status := http.StatusForbidden
			if name == "nobody" {
				status = http.StatusUnauthorized
			}
			if err != nil && (Status(err) != status || fault.KindOf(err) != fault.InvalidConfig) {
				t.Errorf("%s where %v may: status %d, kind %d", name, tt.roles, Status(err), fault.KindOf(err))
			}
		}
	}
}

func TestAContextKnowsItsCaller(t *testing.T) {
	c := Caller{Name: "ann", Role: Viewer, Via: "token a"}
	if got := CallerOf(WithCaller(t.Context(), c)); got != c {
		t.Errorf("%v", got)
	}
	if got := CallerOf(t.Context()); got != (Caller{}) {
		t.Errorf("from nothing: %v", got)
	}
}
