// Package admin serves the admin listener: it protects the pages of a gateway with a
// Host check, a token, logins and a limit on connections.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules/site"
)

// New returns a server that shows pages to operators, protected as cfg says.
func New(pages http.Handler, cfg *site.Config, log *slog.Logger) (gateway.AdminServer, error) {
	guard := newGuard(pages, cfg.Admin.TLSCert != "", time.Now)
	token, pair, problems := read(cfg)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if token != "" {
		guard.token = sha256.Sum256([]byte(token))
		guard.hasToken, guard.strong = true, len(token) >= strongToken
	}
	if a, err := netip.ParseAddrPort(cfg.Listen.Admin); err == nil && !a.Addr().IsLoopback() {
		guard.anyHost = true // TLS and the token replace the Host check
	}
	s := &http.Server{
		Handler: guard, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if pair != nil {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS12}
	}
	return &server{s}, nil
}

// A server is the server of the admin listener.
type server struct{ http *http.Server }

// strongToken is the length from which a token cannot be guessed. "openssl rand -hex
// 32" makes longer tokens.
const strongToken = 32

// Serve serves until ctx ends.
func (a *server) Serve(ctx context.Context, l net.Listener) error {
	s := a.http
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	l = newBoundedListener(l, connectionsMost)
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
