package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds of a connection.
const (
	headerWithin = 10 * time.Second
	bodyWithin   = time.Minute // header included
	idleFor      = 2 * time.Minute
	maxHeader    = 64 << 10
	goodbye      = 500 * time.Millisecond // that answers on their way are given at the end
)

// Serve answers on ln until ctx ends, and closes it. The error is why it could not.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, IdleTimeout: idleFor, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug), // clients that break off are no news
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(base, goodbye)
	defer cancel()
	err := srv.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) { // a setup() that somebody asked for, or a client that does not go
		cut()
		err = srv.Close()
	}
	<-ended //nolint:errcheck // http.ErrServerClosed
	return err
}
