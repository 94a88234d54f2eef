// Admin: /healthz, /readyz and /metrics, for operators and nobody else.

package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sallyport/rules"
)

// adminServer builds the admin listener's server. It only reads: there is no
// request that changes anything.
func (g *gateway) adminServer(cfg *rules.Config) (*http.Server, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", g.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelError)}))
	guard := adminGuard{next: mux}
	if f := cfg.Admin.TokenFile; f != "" {
		token, err := readToken(f)
		if err != nil {
			return nil, err
		}
		guard.token = sha256.Sum256([]byte(token))
		guard.hasToken = true
	}
	if a, err := netip.ParseAddrPort(cfg.Listen.Admin); err == nil && !a.Addr().IsLoopback() {
		guard.anyHost = true // TLS and the token stand in for the Host check
	}
	s := &http.Server{
		Handler: guard, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	if cfg.Admin.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.Admin.TLSCert, cfg.Admin.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("[admin] tls_cert and tls_key: %w", err)
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return s, nil
}

// readToken reads the admin token. A token that can be guessed is refused.
func readToken(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("[admin] token_file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if len(token) < 16 {
		return "", fmt.Errorf("[admin] token_file: %s holds fewer than 16 characters; make one with: openssl rand -hex 32", file)
	}
	return token, nil
}

func (g *gateway) serveReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	errs := g.ready()
	if len(errs) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		for _, err := range errs {
			fmt.Fprintln(w, "not ready:", err)
		}
	}
	g.mu.Lock()
	cfg := g.cfg
	g.mu.Unlock()
	if g.live.Load() != nil {
		fmt.Fprintln(w, "policy:", g.describe(cfg))
	}
	if len(errs) == 0 {
		fmt.Fprintln(w, "ready")
	}
}

// adminGuard stands in front of every admin request: the Host must be this
// host's own name for itself, so that no web page can reach it by DNS
// rebinding, and the token must be right where there is one.
type adminGuard struct {
	next     http.Handler
	anyHost  bool
	hasToken bool
	token    [sha256.Size]byte
}

func (a adminGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if !a.anyHost && !loopbackHost(r.Host) {
		http.Error(w, "this listener answers to localhost and loopback addresses only", http.StatusForbidden)
		return
	}
	if a.hasToken {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(sum[:], a.token[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is required: Authorization: Bearer TOKEN", http.StatusUnauthorized)
			return
		}
	}
	a.next.ServeHTTP(w, r)
}

// loopbackHost tells whether a Host header names this host as itself.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

// serveAdmin serves until ctx ends.
func serveAdmin(ctx context.Context, s *http.Server, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
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

// checkReferences reads what a configuration refers to, without keeping it.
func checkReferences(cfg *rules.Config) error {
	_, err := (&gateway{metrics: newMetrics(), log: slog.New(slog.DiscardHandler)}).adminServer(cfg)
	return err
}
