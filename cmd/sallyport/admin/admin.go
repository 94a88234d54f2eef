// Package admin serves the admin listener: it protects the pages of a gateway with a
// Host check, a token, logins and a limit on connections.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules/site"
)

// New returns a server that shows pages to operators, protected as cfg says.
func New(pages http.Handler, cfg *site.Config, log *slog.Logger) (gateway.AdminServer, error) {
	guard := newGuard(pages, cfg.Admin.TLSCert != "", time.Now)
	if f := cfg.Admin.TokenFile; f != "" {
		token, err := ReadToken(f)
		if err != nil {
			return nil, err
		}
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
	if cfg.Admin.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.Admin.TLSCert, cfg.Admin.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("[admin] tls_cert and tls_key: %w%s", err, gateway.ToBeReadable(err, cfg.Admin.TLSKey))
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return &server{s}, nil
}

// A server is the server of the admin listener.
type server struct{ http *http.Server }

// strongToken is the length from which a token cannot be guessed. "openssl rand -hex
// 32" makes longer tokens.
const strongToken = 32

// ReadToken reads the admin token from a file. It rejects a token that is too short.
func ReadToken(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("[admin] token_file: %w%s", err, gateway.ToBeReadable(err, file))
	}
	token := strings.TrimSpace(string(data))
	if len(token) < 16 {
		return "", fmt.Errorf("[admin] token_file: %s has fewer than 16 characters; make a token with: openssl rand -hex 32", file)
	}
	return token, nil
}

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
