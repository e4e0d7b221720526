package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"throng/internal/fault"
	"throng/internal/grid/cluster"
)

const aPin = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func token(t testing.TB, role Role, life time.Duration) (Token, cluster.Token) {
	t.Helper()
	tok, rec, err := NewToken(role, aPin, noon, life, "for ann")
	if err != nil {
		t.Fatal(err)
	}
	return tok, rec
}

func TestATokenSurvivesItsText(t *testing.T) {
	for _, role := range []Role{Operator, Viewer, Join} {
		tok, rec := token(t, role, 0)
		got, err := ParseToken(" " + tok.Reveal() + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		if got.Reveal() != tok.Reveal() || got.Role != role || got.ID != tok.ID || got.Pin != aPin {
			t.Errorf("%v came back as %v", tok, got)
		}
		if err := Verify(rec, got, noon.Add(100*365*24*time.Hour)); err != nil {
			t.Errorf("a token without an end: %v", err)
		}
		if parts := strings.Split(tok.Reveal(), "."); len(parts) != 5 || len(parts[2]) != 10 || parts[4] != aPin {
			t.Errorf("the text has another form than throng1.<role>.<id>.<secret>.<pin>: %d parts", len(parts))
		}
	}
	a, _ := token(t, Viewer, 0)
	if b, _ := token(t, Viewer, 0); a.ID == b.ID || a.hash() == b.hash() {
		t.Error("two tokens are alike")
	}
}

func TestOnlyTokensOfSenseAreMade(t *testing.T) {
	for name, err := range map[string]error{
		"a node's":          second(NewToken(Node, aPin, noon, 0, "")),
		"no role":           second(NewToken("", aPin, noon, 0, "")),
		"no pin":            second(NewToken(Viewer, "", noon, 0, "")),
		"a life below zero": second(NewToken(Viewer, aPin, noon, -1, "")),
		"a long note":       second(NewToken(Viewer, aPin, noon, 0, strings.Repeat("x", 201))),
	} {
		if err == nil {
			t.Errorf("%s: a token was made", name)
		}
	}
}

func second(_ Token, _ cluster.Token, err error) error { return err }

func TestDamagedTokensAreRefusedInWords(t *testing.T) {
	tok, _ := token(t, Join, 0)
	whole := tok.Reveal()
	parts := strings.Split(whole, ".")
	with := func(i int, s string) string {
		p := append([]string(nil), parts...)
		p[i] = s
		return strings.Join(p, ".")
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "the token is empty"},
		{"white space", " \n", "the token is empty"},
		{"something else", "not-a-token", "not a token of throng"},
		{"a later form", with(0, "throng2"), "not a token of throng"},
		{"a book", strings.Repeat("x", 600), "too long"},
		{"cut off", whole[:40], "not whole"},
		{"two in one", whole + "." + whole, "not whole"},
		{"a strange role", with(1, "root"), "role"},
		{"a node's role", with(1, "node"), "role"},
		{"a capital in the id", with(2, "ABCDEFGHIJ"), "damaged in its id"},
		{"a short secret", with(3, parts[3][:51]), "damaged in its secret"},
		{"a secret with spare bits", with(3, parts[3][:51]+"7"), "damaged in its secret"},
		{"a secret with a line in it", with(3, parts[3][:20]+"\n"+parts[3][20:]), "damaged in its secret"},
		{"a pin in capitals", with(4, strings.ToUpper(parts[4])), "damaged in its pin"},
	} {
		_, err := ParseToken(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			continue
		}
		if fault.KindOf(err) != fault.InvalidConfig || !strings.Contains(fault.HintOf(err), "throng grid token create") {
			t.Errorf("%s: kind %d, hint %q", tt.name, fault.KindOf(err), fault.HintOf(err))
		}
	}
}

func TestVerifySaysWhatIsWrongToThoseWhoKnowTheSecret(t *testing.T) {
	tok, rec := token(t, Viewer, time.Hour)
	other, _ := token(t, Viewer, time.Hour)
	other.ID = tok.ID
	raised := tok
	raised.Role = Operator
	revoked := rec
	revoked.Revoked = noon.Add(time.Minute)
	for _, tt := range []struct {
		name string
		rec  cluster.Token
		tok  Token
		now  time.Time
		want string
	}{
		{"good", rec, tok, noon.Add(time.Hour - 1), ""},
		{"unknown", cluster.Token{}, tok, noon, "is not known to this grid"},
		{"of another id", cluster.Token{ID: "aaaaaaaaaa", Hash: rec.Hash, Role: rec.Role}, tok, noon, "is not known to this grid"},
		{"a wrong secret", rec, other, noon, "has a wrong secret"},
		{"a wrong secret of an expired one", rec, other, noon.Add(2 * time.Hour), "has a wrong secret"},
		{"a wrong secret of a revoked one", revoked, other, noon, "has a wrong secret"},
		{"no secret, no hash", cluster.Token{ID: tok.ID, Role: "viewer"}, Token{ID: tok.ID, Role: Viewer}, noon, "has a wrong secret"},
		{"expired", rec, tok, noon.Add(time.Hour), "expired at 2026-03-01T13:00:00Z"},
		{"revoked", revoked, tok, noon.Add(time.Minute), "was revoked at 2026-03-01T12:01:00Z"},
		{"another role", rec, raised, noon, "says operator, and was made for role viewer"},
	} {
		err := Verify(tt.rec, tt.tok, tt.now)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want == "":
		case !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "token"):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestASecretIsNeverShown(t *testing.T) {
	tok, rec := token(t, Operator, time.Hour)
	secret := strings.Split(tok.Reveal(), ".")[3]
	type holder struct{ t Token } // fmt cannot call methods of what stands in here
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T"} {
		for _, v := range []any{tok, &tok, holder{tok}, &holder{tok}, []Token{tok}, map[string]Token{"a": tok}, struct{ T Token }{tok}} {
			fmt.Fprintf(&shown, verb+"\n", v)
		}
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(h).Info("a token", "value", tok, "pointer", &tok, "held", holder{tok}, "list", []Token{tok})
	}
	for _, v := range []any{tok, &tok, struct{ T Token }{tok}, map[string]any{"t": tok}, rec} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(b)
	}
	raw := fmt.Sprintf("%d", tok.secret())
	for what, s := range map[string]string{
		"text": secret, "hexadecimal": fmt.Sprintf("%x", tok.secret()), "capitals": fmt.Sprintf("%X", tok.secret()),
		"bytes": strings.Trim(raw, "[]"), "listed": strings.ReplaceAll(strings.Trim(raw, "[]"), " ", ", "),
	} {
		if strings.Contains(shown.String(), s) {
			t.Errorf("the secret was shown as %s", what)
		}
	}
	if !strings.Contains(shown.String(), tok.ID) {
		t.Error("the id is shown nowhere: which token is it?")
	}
	h := http.Header{}
	if tok.Authorize(h); h.Get("Authorization") != "Bearer "+tok.Reveal() || !strings.Contains(tok.Reveal(), secret) {
		t.Error("the secret reaches nobody at all")
	}
}

func TestATokenFileIsItsOwnersAlone(t *testing.T) {
	tok, _ := token(t, Join, 0)
	name := filepath.Join(t.TempDir(), "join.token")
	if err := os.WriteFile(name, []byte("older"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := WriteToken(name, tok); err != nil {
		t.Fatal(err)
	}
	privateMode(t, name, 0o600)
	got, warning, err := ReadToken(name)
	if err != nil || warning != "" || got.Reveal() != tok.Reveal() {
		t.Errorf("read %v, %q, %v", got, warning, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, warning, err = ReadToken(name); err != nil || runtime.GOOS != "windows" && !strings.Contains(warning, "can be read by others (mode 0640)") {
		t.Errorf("readable by its group: warning %q, error %v", warning, err)
	}
	if err := WriteToken(name, Token{}); err == nil {
		t.Error("a token without a secret was written")
	}
}

func TestABadTokenFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	bad, large := filepath.Join(dir, "bad"), filepath.Join(dir, "large")
	for name, size := range map[string]int{bad: 1, large: 1 << 20} {
		if err := os.WriteFile(name, []byte(strings.Repeat("not-a-token\n", size)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{bad, large, filepath.Join(dir, "none"), dir} {
		_, _, err := ReadToken(name)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "token") || fault.KindOf(err) != fault.InvalidConfig {
			t.Errorf("%s: %v", name, err)
		}
		if none := strings.HasSuffix(name, "none"); none != errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: is it there? %v", name, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	tok, _ := token(f, Operator, 0)
	for _, s := range []string{"", "throng1", tok.Reveal(), tok.Reveal() + "=", strings.ToUpper(tok.Reveal()), "throng1.....", "throng1.node.a.b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := ParseToken(text)
		if err == nil {
			if tok.Reveal() != strings.TrimSpace(text) {
				t.Errorf("%q is a second text for one token", text)
			}
			return
		}
		if !strings.Contains(err.Error(), "token") {
			t.Errorf("%v does not name the token", err)
		}
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '.' || r == ' ' }) {
			if len(part) > 12 && strings.Contains(err.Error(), part) {
				t.Errorf("%v shows what was given", err)
			}
		}
	})
}
