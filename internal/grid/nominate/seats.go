package nominate

import (
	"maps"

	"throng/internal/grid/cluster"
)

// record is what the store holds of one node.
type record struct {
	node   cluster.Node
	seat   cluster.Seat
	known  bool // there is a node of that name
	seated bool // there is a seat
}

// owners says, by the ids of members, which node each is: the one whose seat it is, if it still has the data directory that
// the seat was given to. A member that nobody has a seat for was added by a leader who died before he could say so, and is
// known by its address; or it is the founder's, and known by its name.
func owners(members []cluster.Member, records map[string]record) map[string]string {
	seated, at := map[string]string{}, map[string]string{}
	for name, r := range records {
		if r.seated {
			seated[r.seat.Member] = name
		}
		if r.known {
			at[r.node.ServerURL] = name
		}
	}
	out := map[string]string{}
	for _, m := range members {
		name, ok := seated[m.ID]
		switch r := records[name]; {
		case ok && r.known && r.seat.Identity == r.node.Identity:
			out[m.ID] = name
		case ok:
		case m.Name == "":
			out[m.ID] = at[m.PeerURL]
		case records[m.Name].known:
			out[m.ID] = m.Name
		}
	}
	return out
}

// seats are the seats as they should be, by node; leaving is the id of the member that is about to be removed. A node that is not
// in it is to have none.
func seats(members []cluster.Member, records map[string]record, owner map[string]string, leaving string) map[string]cluster.Seat {
	out := map[string]cluster.Seat{}
	names := map[string]string{} // peer URLs by name: what a learner starts with
	for _, m := range members {
		name := owner[m.ID]
		if name == "" {
			name = "member-" + m.ID
		}
		names[name] = m.PeerURL
		if owner[m.ID] == "" {
			keepStale(out, records, m.ID)
			continue
		}
		seat := cluster.Seat{Identity: records[name].node.Identity, Role: cluster.Voter, Member: m.ID, Leaving: m.ID == leaving}
		if m.Learner {
			seat.Role, seat.Leaving = cluster.Learner, false
		}
		out[name] = seat
	}
	for _, m := range members {
		if name := owner[m.ID]; name != "" && m.Name == "" {
			seat := out[name]
			seat.Cluster = maps.Clone(names)
			out[name] = seat
		}
	}
	return out
}

// keepStale keeps the seat of a member whose data is lost for as long as the member is there: it says whose the member was.
func keepStale(out map[string]cluster.Seat, records map[string]record, id string) {
	for name, r := range records {
		if r.seated && r.seat.Member == id {
			out[name] = r.seat
		}
	}
}

// difference is the transaction that makes the seats in the store those that should be.
func difference(records map[string]record, want map[string]cluster.Seat) (cluster.Txn, error) {
	t := cluster.Txn{Put: map[string][]byte{}}
	for name, seat := range want {
		r := records[name]
		if r.seated && same(r.seat, seat) {
			continue
		}
		b, err := cluster.Encode(seat)
		if err != nil {
			return t, err
		}
		t.Put[cluster.Seats+name] = b
	}
	for name, r := range records {
		if _, ok := want[name]; !ok && r.seated {
			t.Delete = append(t.Delete, cluster.Seats+name)
		}
	}
	return t, nil
}

func same(a, b cluster.Seat) bool {
	return a.Identity == b.Identity && a.Role == b.Role && a.Member == b.Member && a.Leaving == b.Leaving && maps.Equal(a.Cluster, b.Cluster)
}
