package node

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/trust"
)

// save has the grid save a snapshot, through a node that votes or not.
func (l *lab) save(via string) string {
	l.t.Helper()
	file := filepath.Join(l.t.TempDir(), "grid.snapshot")
	err := l.grid(via).Get(l.t.Context(), SnapshotPath, func(r io.Reader) error {
		var b bytes.Buffer
		if err := CopySnapshot(&b, r); err != nil {
			return err
		}
		return os.WriteFile(file, b.Bytes(), 0o600)
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return file
}

func (l *lab) restore(name, file string) error {
	return Restore(l.t.Context(), l.options(name).o, file)
}

// TestAGridComesBackFromASnapshot loses all but one data directory, and then that one, too.
func TestAGridComesBackFromASnapshot(t *testing.T) {
	t.Parallel()
	l := newLab(t, 3)
	l.up(4)
	id := l.clusterID()
	kept := l.token(trust.Viewer, time.Hour)
	client := ""
	v, err := l.view()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range v.Nodes {
		if n.Role == cluster.Client {
			client = n.Name
		}
	}
	file := l.save(client)
	l.token(trust.Viewer, time.Hour) // after the snapshot
	for name := range l.nodes {
		l.halt(name)
	}
	refused(t, l.restore(client, file), "authority")
	if err := l.restore("h1", file); err != nil {
		t.Fatal(err)
	}
	l.start("h1")
	l.vote(1)
	if got := l.clusterID(); got != id {
		t.Errorf("the grid is %s, it was %s", got, id)
	}
	var tokens []cluster.Token
	if err := l.grid().JSON(t.Context(), http.MethodGet, TokensPath, nil, &tokens); err != nil || len(tokens) != 3 {
		t.Errorf("the tokens are %v, %v", tokens, err) // join, operator, and the one from before
	}
	if !strings.Contains(strings.Join(ids(tokens), " "), kept.id) {
		t.Errorf("token %s is not among %v", kept.id, ids(tokens))
	}
	l.start("h2") // it still holds a member of the grid that was
	refused(t, l.ends("h2"), "forgotten node h2")
	for _, name := range []string{"h2", "h3"} {
		if err := os.RemoveAll(filepath.Join(l.dir, name)); err != nil {
			t.Fatal(err)
		}
		l.start(name, "h1")
	}
	l.vote(3)

	for name := range l.nodes {
		l.halt(name)
		if err := os.RemoveAll(filepath.Join(l.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.restore("h1", file); err != nil {
		t.Fatal(err)
	}
	l.start("h1")
	l.vote(1)
	if got := l.clusterID(); got != id {
		t.Errorf("the grid is %s, it was %s", got, id)
	}
	l.start("h2", "h1") // with the token that was made anew
	l.until("h2 is heard", func() bool { return l.alive() == "h1 h2" })
}

func ids(tokens []cluster.Token) (out []string) {
	for _, t := range tokens {
		out = append(out, t.ID)
	}
	return out
}

func TestABadSnapshotIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, 1)
	l.insecure = true
	l.up(1)
	file := l.save("h1")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l.halt("h1")
	other := newLab(t, 1)
	other.insecure = true
	other.up(1)
	other.halt("h1")
	refused(t, other.restore("h1", file), "the snapshot is of grid")
	other.start("h1") // as if nothing had been
	other.vote(1)
	whole[len(whole)/2] ^= 1
	for name, b := range map[string][]byte{"cut off": whole[:len(whole)-512], "changed": whole, "empty": nil} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, l.restore("h2", file), "not whole")
		if exists(l.dir, "h2", "etcd") {
			t.Errorf("%s: it left a member behind", name)
		}
	}
}
