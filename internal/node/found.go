package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

// found founds a grid whose only node is this one.
func (n *Node) found(ctx context.Context) error {
	if etcdstore.Exists(n.seat.dir()) {
		return fmt.Errorf("%s holds a member of a store, and the node does not remember of which grid: restore %s, or remove the data directory", n.seat.dir(), memoryFile(n.o.DataDir))
	}
	m := &memory{
		Cluster: newClusterID(), Name: n.name(), Identity: rand.Text(), Insecure: n.o.Insecure, Foreign: n.o.foreign(), Endpoints: []string{n.o.ClientURL},
	}
	n.memory = m
	records := map[string]any{}
	if !n.o.Insecure {
		if err := n.certify(time.Now(), records); err != nil {
			return err
		}
	}
	put, err := n.foundStore(ctx)
	if err != nil {
		return err
	}
	records[cluster.Nodes+n.name()] = n.record()
	records[cluster.Seats+n.name()] = cluster.Seat{Identity: m.Identity, Role: cluster.Voter, Member: m.Member}
	put[cluster.IDKey], put[cluster.IdealKey] = []byte(m.Cluster), []byte(strconv.Itoa(n.o.Ideal))
	for key, r := range records {
		if put[key], err = cluster.Encode(r); err != nil {
			return err
		}
	}
	if _, err := n.store.Commit(ctx, cluster.Txn{If: []cluster.Condition{{Key: cluster.IDKey}}, Put: put}); err != nil {
		return fmt.Errorf("write the grid's first records: %w", err)
	}
	// Last: a founding that was interrupted before this is none, and says so.
	if err := m.keep(n.o.DataDir); err != nil {
		return err
	}
	n.founder = true
	n.tellHowToJoin()
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

// certify makes the grid's authority, this node's certificate, and the first tokens.
func (n *Node) certify(now time.Time, records map[string]any) error {
	a, err := trust.NewAuthority(n.memory.Cluster, now)
	if err != nil {
		return err
	}
	if err := a.Save(n.authorityDir()); err != nil {
		return err
	}
	n.auth.set(a)
	if err := n.sign(a, now); err != nil {
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
