package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/types"

	"throng/internal/grid/cluster"
)

// ID is the member's own, in hexadecimal.
func (s *Server) ID() string { return s.etcd.Server.MemberID().String() }

// Leading reports whether this member leads, and in which term.
func (s *Server) Leading() (term uint64, ok bool) {
	e := s.etcd.Server
	select {
	case <-s.ended:
		return 0, false
	default:
		return e.Term(), e.Leader() == e.MemberID()
	}
}

// Leader is the id of the member that leads, as far as this one knows; "" while it knows none.
func (s *Server) Leader() string {
	if l := s.etcd.Server.Leader(); l != 0 {
		return l.String()
	}
	return ""
}

// LeaderChanged is closed when another member, or this one, begins to lead.
func (s *Server) LeaderChanged() <-chan struct{} { return s.etcd.Server.LeaderChangedNotify() }

// Members are those that this member knows of, in the order of their ids. It asks nobody: another may know better.
func (s *Server) Members() []cluster.Member {
	var out []cluster.Member
	for _, m := range s.etcd.Server.Cluster().Members() {
		out = append(out, cluster.Member{ID: m.ID.String(), Name: m.Name, PeerURL: strings.Join(m.PeerURLs, ","), Learner: m.IsLearner})
	}
	return out
}

// AddLearner adds a member that does not vote, and returns its id.
func (s *Server) AddLearner(ctx context.Context, peerURL string) (id string, err error) {
	r, err := s.inner.MemberAddAsLearner(ctx, []string{peerURL})
	if err != nil {
		return "", fmt.Errorf("add a learner at %s: %w", peerURL, later(err))
	}
	return types.ID(r.Member.ID).String(), nil
}

// Promote lets a learner vote. ErrLater while it has not caught up.
func (s *Server) Promote(ctx context.Context, id string) error {
	n, err := number(id)
	if err != nil {
		return err
	}
	if s.votes(id) {
		return nil
	}
	_, err = s.inner.MemberPromote(ctx, n)
	if err != nil && !errors.Is(err, rpctypes.ErrMemberNotLearner) { // that it votes already is as good
		return fmt.Errorf("promote member %s: %w", id, later(err))
	}
	return nil
}

// Remove removes a member. That it is not there is as good.
func (s *Server) Remove(ctx context.Context, id string) error {
	n, err := number(id)
	if err != nil {
		return err
	}
	_, err = s.inner.MemberRemove(ctx, n)
	if errors.Is(err, rpctypes.ErrMemberNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove member %s: %w", id, later(err))
	}
	return nil
}

// MoveLeader makes another voter lead. One that does not know yet that it votes ignores the call: then it is ErrLater.
func (s *Server) MoveLeader(ctx context.Context, to string) error {
	n, err := number(to)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, movePatience)
	defer cancel()
	if err := s.etcd.Server.MoveLeader(ctx, uint64(s.etcd.Server.MemberID()), n); err != nil {
		return fmt.Errorf("move leadership to member %s: %w: %w", to, cluster.ErrLater, err)
	}
	return nil
}

// Readdress says where a member is reached from now on.
func (s *Server) Readdress(ctx context.Context, id, peerURL string) error {
	n, err := number(id)
	if err != nil {
		return err
	}
	if _, err := s.inner.MemberUpdate(ctx, n, []string{peerURL}); err != nil {
		return fmt.Errorf("move member %s to %s: %w", id, peerURL, later(err))
	}
	return nil
}

// movePatience bounds MoveLeader: raft itself gives up after an election's time, and etcd would go on waiting.
const movePatience = 2 * time.Second

func number(id string) (uint64, error) {
	n, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("member id %.40q: %w", id, err)
	}
	return n, nil
}

// later marks the refusals that protect the majority, and those of a learner that has not caught up: etcd's strict check on
// changes, which stays on.
func later(err error) error {
	for _, e := range []error{
		rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrUnhealthy, rpctypes.ErrMemberLearnerNotReady, rpctypes.ErrTooManyLearners,
		rpctypes.ErrNotLeader, rpctypes.ErrNoLeader, rpctypes.ErrLeaderChanged, rpctypes.ErrTimeout,
		rpctypes.ErrTimeoutDueToLeaderFail, rpctypes.ErrTimeoutDueToConnectionLost,
	} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", cluster.ErrLater, err)
		}
	}
	return err
}

// Votes reports whether the member is one that votes, as far as it knows itself.
func (s *Server) Votes() bool { return s.votes(s.ID()) }

func (s *Server) votes(id string) bool {
	return slices.ContainsFunc(s.Members(), func(m cluster.Member) bool { return m.ID == id && !m.Learner })
}
