package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// Limits of a server, the same for all members of a grid: a joiner that allows fewer learners than there are would not start.
const (
	MaxLearners = 2
	maxTxnOps   = 512
	maxRequest  = 2 << 20 // of a request, in bytes
)

// startPatience bounds the start of a server, up to where it has read its disk and found the others. To become ready takes a
// majority, and as long as that takes.
const startPatience = 30 * time.Second

// The errors that a Server ends with.
var (
	// ErrRemoved reports that the member is no longer one: its directory is of no more use.
	ErrRemoved = errors.New("this member was removed from the grid")
	errStuck   = errors.New("etcd did not stop in time")
)

// Config says where a member lives.
type Config struct {
	Name string
	// Dir holds all of the member's data. Nobody else can read it.
	Dir string
	// ClientURL and PeerURL are where others reach this member; at the former the node answers and passes on (see Socket).
	ClientURL, PeerURL string
	// Listen is the IP:PORT at which PeerURL is served, if the latter names no IP.
	Listen string
	// Peers proves to other members who we are; nil: in the clear.
	Peers *TLSFiles
	Log   *slog.Logger
}

// TLSFiles are PEM files. They are read anew for each connection, so they can be renewed by replacing them.
type TLSFiles struct{ Cert, Key, CA string }

// Server is an embedded member of etcd.
type Server struct {
	etcd   *embed.Etcd
	book   *logbook
	socket string
	inner  *clientv3.Client // calls the server without a network

	stopping sync.Once
	ended    chan struct{} // closed when etcd has ended, for whatever reason
	done     chan struct{} // closed after ended, when nothing of the server is left
	stopErr  error         // set before done is closed
}

// Bootstrap founds a store: its first and only member starts on an empty directory. Token tells it from all other stores.
func Bootstrap(ctx context.Context, c Config, token string) (*Server, error) {
	return start(ctx, c, func(e *embed.Config) {
		e.ClusterState, e.InitialClusterToken = embed.ClusterStateFlagNew, token
		e.InitialCluster = c.Name + "=" + c.PeerURL
	})
}

// Join starts a learner that was added: members are the peer URLs of all by name, its own among them, as the addition returned
// them.
func Join(ctx context.Context, c Config, members map[string]string) (*Server, error) {
	return start(ctx, c, func(e *embed.Config) {
		e.ClusterState = embed.ClusterStateFlagExisting
		list := make([]string, 0, len(members))
		for name, at := range members {
			list = append(list, name+"="+at)
		}
		slices.Sort(list)
		e.InitialCluster = strings.Join(list, ",")
	})
}

// Restart starts a member from its directory.
func Restart(ctx context.Context, c Config) (*Server, error) {
	if !Exists(c.Dir) {
		return nil, fmt.Errorf("there is no member in %s", c.Dir)
	}
	return start(ctx, c, func(e *embed.Config) {
		e.ClusterState = embed.ClusterStateFlagExisting
		e.InitialCluster = c.Name + "=" + c.PeerURL // not used: the directory knows
	})
}

// Exists reports whether a member has ever started in dir.
func Exists(dir string) bool {
	logs, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal"))
	return err == nil && len(logs) > 0
}

func start(ctx context.Context, c Config, how func(*embed.Config)) (*Server, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the member's directory: %w", err)
	}
	if err := os.Chmod(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("close the member's directory: %w", err)
	}
	s := &Server{book: newLogbook(c.Log), ended: make(chan struct{}), done: make(chan struct{})}
	cfg, err := s.config(c)
	if err != nil {
		s.book.close()
		return nil, err
	}
	how(cfg)
	if err := s.launch(ctx, cfg); err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	s.inner = v3client.New(s.etcd.Server)
	go s.await()
	return s, nil
}

// launch starts etcd. If that takes too long, or ctx ends, it is given up: what comes of it is stopped, and waited for, unless that
// takes too long as well.
func (s *Server) launch(ctx context.Context, cfg *embed.Config) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("it takes too long"))
	defer cancel()
	started := make(chan error, 1)
	go func() {
		started <- s.book.guarded(func() (err error) {
			s.etcd, err = embed.StartEtcd(cfg)
			return err
		})
	}()
	select {
	case err := <-started:
		if err != nil {
			s.book.close()
		}
		return err
	case <-ctx.Done():
		undone := make(chan struct{})
		go func() {
			defer close(undone)
			if <-started == nil {
				_ = s.book.guarded(func() error { s.shut(); return nil })
			}
			s.book.close()
		}()
		select {
		case <-undone:
		case <-time.After(undoPatience):
		}
		return context.Cause(ctx)
	}
}

// undoPatience bounds the wait for the end of a start that was given up.
const undoPatience = 5 * time.Second

// config is etcd's configuration, up to the question with whom it starts.
func (s *Server) config(c Config) (*embed.Config, error) {
	peer, err := url.Parse(c.PeerURL)
	if err != nil {
		return nil, fmt.Errorf("peer URL: %w", err)
	}
	client, err := url.Parse(c.ClientURL)
	if err != nil {
		return nil, fmt.Errorf("client URL: %w", err)
	}
	listen := *peer
	if c.Listen != "" {
		listen.Host = c.Listen
	}
	if s.socket, err = socketPath(c.Dir); err != nil {
		return nil, err
	}
	e := embed.NewConfig()
	e.Name, e.Dir = c.Name, c.Dir
	e.ListenPeerUrls, e.AdvertisePeerUrls = []url.URL{listen}, []url.URL{*peer}
	e.ListenClientUrls, e.AdvertiseClientUrls = []url.URL{{Scheme: "unix", Path: s.socket}}, []url.URL{*client}
	e.StrictReconfigCheck, e.PreVote = true, true
	e.TickMs, e.ElectionMs = 100, 1000
	e.MaxLearners, e.MaxTxnOps, e.MaxRequestBytes = MaxLearners, maxTxnOps, maxRequest
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModePeriodic, "10m"
	e.WatchProgressNotifyInterval = progress
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(s.book.logger())
	e.LogLevel = "warn"
	if c.Peers != nil {
		e.PeerTLSInfo.CertFile, e.PeerTLSInfo.KeyFile, e.PeerTLSInfo.TrustedCAFile = c.Peers.Cert, c.Peers.Key, c.Peers.CA
		e.PeerTLSInfo.ClientCertAuth = true
		// A peer is known by its certificate. etcd would also compare the address that it connects from with the names in it,
		// which hosts of several addresses, and loopback, do not meet.
		e.PeerTLSInfo.SkipClientSANVerify = true
		e.TlsMinVersion = "TLS1.3"
	}
	return e, nil
}

// await notices the end of etcd, whoever brought it about.
func (s *Server) await() {
	select {
	case <-s.etcd.Server.StopNotify():
	case <-s.book.gaveUp:
	}
	close(s.ended)
	_ = s.Stop(context.Background()) // its verdict is kept for Err
}

// Ready is closed once the member takes requests: it has found a leader and told its name.
func (s *Server) Ready() <-chan struct{} { return s.etcd.Server.ReadyNotify() }

// Done is closed when the server has ended and nothing of it is left.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err says, after Done, why the server ended: nil if it was stopped, ErrRemoved, or what made etcd give up.
func (s *Server) Err() error {
	<-s.done
	removed, fatal := s.book.verdict()
	switch {
	case removed:
		return ErrRemoved
	case fatal != "":
		return fmt.Errorf("etcd gave up: %s", fatal)
	}
	return s.stopErr
}

// Access is the way to this server alone.
func (s *Server) Access() Access { return Access{Endpoints: []string{"unix://" + s.socket}} }

// Socket is the path of the unix socket at which etcd's client endpoint listens.
func (s *Server) Socket() string { return s.socket }

// stopPatience bounds Stop, whatever its context allows: etcd has hung there before.
const stopPatience = 15 * time.Second

// Stop hands leadership over, if it is ours, and ends the server. Who uses it should have left before, or is waited for.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Do(func() { go s.stop() })
	select {
	case <-s.done:
		return s.stopErr
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// courtesy is what requests, and then a successor, are given to end and to take over. In a majority that lives a tenth of it is enough.
const courtesy = time.Second

// shut closes etcd. One that is not ready, because there is no majority, say, must be stopped before: Close would wait for the
// goroutine that serves, and that one for etcd to be ready. See TestAMemberWithoutAMajorityStops. One that has lost its majority since, or
// hands leadership to a member that is stopping, too, would wait for an answer that cannot come, seven seconds and again seven, for which
// etcd has no setting. See TestAMemberThatLostTheMajorityStops.
func (s *Server) shut() {
	select {
	case <-s.etcd.Server.ReadyNotify():
		defer time.AfterFunc(courtesy, s.etcd.Server.HardStop).Stop()
	default:
		s.etcd.Server.HardStop()
	}
	s.etcd.Close()
}

// hopeless fires when etcd has had its time to stop. One that gave up has left its locks as they were, and gets little.
func (s *Server) hopeless() <-chan time.Time {
	select {
	case <-s.book.gaveUp:
		return time.After(time.Second)
	default:
		return time.After(stopPatience)
	}
}

func (s *Server) stop() {
	defer close(s.done)
	closed := make(chan error, 1)
	go func() {
		closed <- s.book.guarded(func() error {
			s.shut()
			for range s.etcd.Err() { //nolint:revive // what is left to tell is in the log
			}
			return nil
		})
	}()
	select {
	case s.stopErr = <-closed:
		s.book.close()
	case <-s.hopeless(): // its log stays open: it may still write there
		s.stopErr = errStuck
		_ = os.Remove(s.socket)
	}
	// Else etcd has removed its socket, long ago: what is there now may be a successor's, whoever stopped this one has not waited for the end.
}
