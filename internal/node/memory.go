package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// memory is what a node remembers of its grid, in its data directory: with it a node needs no seeds to come back, and never
// founds a second grid.
type memory struct {
	Cluster  string `json:"cluster"`
	Name     string `json:"name"`
	Identity string `json:"identity"`
	Insecure bool   `json:"insecure,omitempty"`
	Foreign  bool   `json:"foreign,omitempty"` // the store is an external etcd

	mu        sync.Mutex // guards what follows, and the file
	Endpoints []string   `json:"endpoints"`        // client URLs of the nodes that it knew last
	Member    string     `json:"member,omitempty"` // whose data is on disk: its id, in hexadecimal
	// Invited is the member that the node was about to start; it may have left data on disk, or not.
	Invited string `json:"invited,omitempty"`
	// Removed is the member that this node had last, and that the others have removed.
	Removed string `json:"removed,omitempty"`
}

// endpoints are those last known.
func (m *memory) endpoints() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.Endpoints)
}

// member is the id of the member whose data is on disk; "" for none. Invited is the one that may have begun to write there.
func (m *memory) member() (id, invited string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Member, m.Invited
}

// removed is the member that this node had last; "" for none.
func (m *memory) removed() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Removed
}

// change changes the memory and writes it down.
func (m *memory) change(dir string, f func(*memory)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
	return m.write(dir)
}

func memoryFile(dir string) string { return filepath.Join(dir, "node.json") }

// recall reads the memory; nil when the node has none.
func recall(dir string) (*memory, error) {
	b, err := os.ReadFile(memoryFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the node remembers: %w", err)
	}
	var m memory
	if err := json.Unmarshal(b, &m); err != nil || m.Cluster == "" {
		return nil, fmt.Errorf("%s cannot be read: restore it, or remove the data directory to join as a new node", memoryFile(dir))
	}
	return &m, nil
}

// keep writes the memory down.
func (m *memory) keep(dir string) error { return m.change(dir, func(*memory) {}) }

// write writes the memory, whole or not at all. The caller holds mu.
func (m *memory) write(dir string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(memoryFile(dir), append(b, '\n')); err != nil {
		return fmt.Errorf("write what the node remembers: %w", err)
	}
	return nil
}

// replaceFile writes a file, whole or not at all.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".node-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
