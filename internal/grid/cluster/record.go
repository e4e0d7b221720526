package cluster

import "time"

// The keys of the table in doc.go.
const (
	IDKey     = Prefix + "id"
	IdealKey  = Prefix + "ideal"
	LeaderKey = Prefix + "leader"
	Nodes     = Prefix + "nodes/"
	Seats     = Prefix + "seats/"
	Tokens    = Prefix + "tokens/"
	Runs      = Prefix + "runs/"
	Shared    = Prefix + "shared/"
)

// Node is what a node says of itself when it joins.
type Node struct {
	Name      string            `json:"name"`
	ClientURL string            `json:"client_url"`
	ServerURL string            `json:"server_url,omitempty"`
	NoServer  bool              `json:"no_server,omitempty"` // never votes
	Labels    map[string]string `json:"labels,omitempty"`
	Capacity  float64           `json:"capacity"` // how much load it takes beside a node of capacity 1
	Drained   bool              `json:"drained,omitempty"`
	Version   string            `json:"version"`
	Joined    time.Time         `json:"joined"`
	// Identity is made anew with every data directory: two nodes of one name cannot pass for one another.
	Identity string `json:"identity"`
}

// Leader says who leads.
type Leader struct {
	Name string `json:"name"`
	Term uint64 `json:"term"` // raft's own term where etcd is embedded
}

// Role says how a node takes part in agreeing.
type Role string

// The roles, as grid status shows them.
const (
	Voter   Role = "voter"
	Learner Role = "learner" // receives the log, does not count yet
	Client  Role = "client"  // reaches the store through those who vote
)

// Seat is the leader's word to one node about its vote. A node without a seat is a client.
type Seat struct {
	// Identity is the node's, so that a data directory that was lost, and begun anew, cannot take the seat.
	Identity string `json:"identity"`
	Role     Role   `json:"role"`   // Learner or Voter
	Member   string `json:"member"` // the member's id in the store, in hexadecimal
	// Leaving asks the node to reach the store through others from now on: its member is about to be removed.
	Leaving bool `json:"leaving,omitempty"`
	// Cluster is with which members a learner starts for the first time: their peer URLs by name.
	Cluster map[string]string `json:"cluster,omitempty"`
}

// NodeState is a node as the grid sees it now.
type NodeState struct {
	Node
	Role  Role `json:"role"`
	Alive bool `json:"alive"`
}

// View is what a node knows of the grid at one instant.
type View struct {
	Self      string
	ClusterID string
	Leader    Leader // Name "" while nobody leads
	Fence     int64  // the revision of LeaderKey: what the leader's writes are conditioned on
	Ideal     int
	Nodes     []NodeState // by name
}

// Leading reports whether the node whose view this is leads.
func (v View) Leading() bool { return v.Self != "" && v.Leader.Name == v.Self }

// Find returns the node of that name.
func (v View) Find(name string) (NodeState, bool) {
	for _, n := range v.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return NodeState{}, false
}

// Voters returns the nodes that vote, by name.
func (v View) Voters() []NodeState {
	var out []NodeState
	for _, n := range v.Nodes {
		if n.Role == Voter {
			out = append(out, n)
		}
	}
	return out
}

// Token is what the grid keeps of a bearer token: enough to recognise it, not enough to use it (package trust).
type Token struct {
	ID      string    `json:"id"`
	Role    string    `json:"role"`
	Hash    string    `json:"hash"` // hexadecimal SHA-256 of the secret
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Revoked time.Time `json:"revoked,omitzero"` // zero: not
	Note    string    `json:"note,omitempty"`
}
