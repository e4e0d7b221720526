package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"throng/internal/grid/cluster"
	"throng/internal/grid/cluster/etcdstore"
	"throng/internal/grid/trust"
)

// How long the tokens live that a founder writes: long enough to build a grid and to look after it; more can be made.
const (
	joinLife     = 30 * 24 * time.Hour
	operatorLife = 365 * 24 * time.Hour
)

// founding is a grid that is being founded. A process may die in the midst of it: a mark, which is there from the first step to the last,
// says that nobody has heard of the grid yet, and what was made is made anew at the next start. See TestAFoundingIsRepeated.
type founding struct {
	n       *Node
	records map[string]any
	put     map[string][]byte
}

type step struct {
	name string
	do   func(context.Context) error
}

func (f *founding) steps() []step {
	return []step{
		{"mark", f.mark}, {"authority", f.authority}, {"tokens", f.tokens}, {"store", f.store}, {"records", f.write},
		{"memory", func(context.Context) error { return f.n.memory.keep(f.n.o.DataDir) }},
		{"end", func(context.Context) error { return f.n.founded() }},
	}
}

// found founds a grid whose only node is this one.
func (n *Node) found(ctx context.Context) error {
	if etcdstore.Exists(n.seat.dir()) {
		return fmt.Errorf("%s holds a member of a store, and the node does not remember of which grid: restore %s, or remove the data directory", n.seat.dir(), memoryFile(n.o.DataDir))
	}
	f := &founding{n: n, records: map[string]any{}}
	for _, s := range f.steps() {
		if err := s.do(ctx); err != nil {
			return err
		}
		if n.o.after != nil {
			if err := n.o.after(s.name); err != nil {
				return err
			}
		}
	}
	n.founder = true
	return nil
}

func markFile(dir string) string { return filepath.Join(dir, "founding") }

// mark begins. A grid that was begun before keeps its id: an external etcd may hold it.
func (f *founding) mark(context.Context) error {
	n := f.n
	id, err := os.ReadFile(markFile(n.o.DataDir))
	if err != nil || len(id) == 0 {
		id = []byte(newClusterID())
		if err := replaceFile(markFile(n.o.DataDir), id); err != nil {
			return fmt.Errorf("begin to found a grid: %w", err)
		}
	}
	n.memory = &memory{
		Cluster: string(id), Name: n.name(), Identity: rand.Text(), Insecure: n.o.Insecure, Foreign: n.o.foreign(), Endpoints: []string{n.o.ClientURL},
	}
	return nil
}

func (f *founding) authority(context.Context) error {
	if f.n.o.Insecure {
		return nil
	}
	return f.n.certify(time.Now())
}

func (f *founding) tokens(context.Context) error {
	if f.n.o.Insecure {
		return nil
	}
	return f.n.firstTokens(time.Now(), f.records)
}

func (f *founding) store(ctx context.Context) (err error) {
	f.put, err = f.n.foundStore(ctx)
	return err
}

// write writes the grid's first records.
func (f *founding) write(ctx context.Context) (err error) {
	m := f.n.memory
	f.records[cluster.Nodes+m.Name] = f.n.record()
	f.records[cluster.Seats+m.Name] = cluster.Seat{Identity: m.Identity, Role: cluster.Voter, Member: m.Member}
	f.put[cluster.IDKey], f.put[cluster.IdealKey] = []byte(m.Cluster), []byte(strconv.Itoa(f.n.o.Ideal))
	for key, r := range f.records {
		if f.put[key], err = cluster.Encode(r); err != nil {
			return err
		}
	}
	if _, err := f.n.store.Commit(ctx, cluster.Txn{If: []cluster.Condition{{Key: cluster.IDKey}}, Put: f.put}); err != nil {
		return fmt.Errorf("write the grid's first records: %w", err)
	}
	return nil
}

// founded ends a founding.
func (n *Node) founded() error {
	n.tellHowToJoin()
	return os.Remove(markFile(n.o.DataDir))
}

// unfinished reports whether a founding was interrupted.
func unfinished(dir string) bool {
	_, err := os.Stat(markFile(dir))
	return err == nil
}

// wipe removes what an interrupted founding left, all but its mark.
func (n *Node) wipe() error {
	n.log.Info("a founding was interrupted: what it left in " + n.o.DataDir + " is removed")
	for _, name := range []string{"identity", "authority", "join.token", "operator.token", "etcd"} {
		if err := os.RemoveAll(filepath.Join(n.o.DataDir, name)); err != nil {
			return fmt.Errorf("remove what an interrupted founding left: %w", err)
		}
	}
	return nil
}

// foundStore makes this node the only member of a new store, and returns how the grid's records begin.
func (n *Node) foundStore(ctx context.Context) (put map[string][]byte, err error) {
	if n.o.foreign() {
		n.memory.Member, put, err = n.foundForeign(ctx)
		return put, err
	}
	c, err := n.seat.config(ctx)
	if err != nil {
		return nil, err
	}
	server, err := etcdstore.Bootstrap(ctx, c, n.memory.Cluster)
	if err != nil {
		return nil, fmt.Errorf("found the grid's store: %w", err)
	}
	n.seat.set(server)
	n.memory.Member = server.ID()
	return map[string][]byte{}, n.store.Use(server.Access())
}

// newClusterID returns a grid's id.
func newClusterID() string { return rand.Text()[:16] }

// certify makes the grid's authority and this node's certificate.
func (n *Node) certify(now time.Time) error {
	a, err := trust.NewAuthority(n.memory.Cluster, now)
	if err != nil {
		return err
	}
	if err := a.Save(n.authorityDir()); err != nil {
		return err
	}
	n.auth.set(a)
	return n.sign(a, now)
}

// firstTokens makes the tokens that a grid begins with.
func (n *Node) firstTokens(now time.Time, records map[string]any) error {
	a, err := n.auth.get()
	if err != nil {
		return err
	}
	for _, t := range []struct {
		role trust.Role
		life time.Duration
		file string
	}{{trust.Join, joinLife, "join.token"}, {trust.Operator, operatorLife, "operator.token"}} {
		token, record, err := trust.NewToken(t.role, a.Pin(), now, t.life, "made at the founding")
		if err != nil {
			return err
		}
		if err := trust.WriteToken(filepath.Join(n.o.DataDir, t.file), token); err != nil {
			return err
		}
		records[cluster.Tokens+record.ID] = record
	}
	return nil
}

func (n *Node) authorityDir() string { return filepath.Join(n.o.DataDir, "authority") }

// file is a file in the data directory, so that it is found from anywhere.
func (n *Node) file(name string) string {
	p := filepath.Join(n.o.DataDir, name)
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}

// tellHowToJoin prints the command that joins another node.
func (n *Node) tellHowToJoin() {
	how := fmt.Sprintf("throng node --seeds %s", n.o.ClientURL)
	if n.o.Insecure {
		how += " --insecure --hostname NAME --data-dir DIR --client-urls URL --server-urls URL"
	} else {
		how += " --token-file " + n.file("join.token")
	}
	_, err := fmt.Fprintf(n.o.Out, "This node is the first of a new grid. Another one joins it by\n\n  %s\n\n", how)
	if err == nil && !n.o.Insecure {
		_, err = fmt.Fprintf(n.o.Out, "with a copy of that file. To give orders:\n\n  export THRONG_GRID=%s THRONG_TOKEN_FILE=%s\n  throng grid status\n\n", n.o.ClientURL, n.file("operator.token"))
	}
	if err != nil {
		n.log.Debug(errors.Join(errors.New("say how to join"), err).Error())
	}
}
