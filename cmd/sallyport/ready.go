// Ready: /readyz tells whether sallyport serves as configured, which policy is
// in force, what the process gave up and what its limits are.

package main

import (
	"fmt"
	"net/http"
	"strings"

	"sallyport/cmd/sallyport/confine"
	"sallyport/denials"
)

// readiness is what /readyz says; to programs as JSON.
type readiness struct {
	Ready     bool           `json:"ready"`
	Problems  []string       `json:"problems"`
	Policy    string         `json:"policy,omitempty"`
	Drops     string         `json:"filter_drops,omitempty"`
	Hardening []confine.Step `json:"hardening"`
	Limits    processLimits  `json:"limits"`
}

func (g *Gateway) readiness() readiness {
	out := readiness{Problems: []string{}, Hardening: g.hardening, Limits: g.limits}
	for _, err := range g.ready() {
		out.Problems = append(out.Problems, err.Error())
	}
	out.Ready = len(out.Problems) == 0
	g.mu.Lock()
	cfg := g.cfg
	g.mu.Unlock()
	out.Drops = g.describeDrops()
	if g.live.Policy() != nil {
		out.Policy = g.describe(cfg)
	}
	return out
}

// serveReady answers with lines, or with JSON to those who ask for it. What is
// absent in hardening is told, and does not make sallyport unready.
func (g *Gateway) serveReady(w http.ResponseWriter, r *http.Request) {
	is := g.readiness()
	asJSON := strings.Contains(r.Header.Get("Accept"), "application/json")
	contentType := "text/plain; charset=utf-8"
	if asJSON {
		contentType = "application/json"
	}
	w.Header().Set("Content-Type", contentType)
	if !is.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if asJSON {
		_ = denials.WriteJSON(w, is, "")
		return
	}
	for _, p := range is.Problems {
		fmt.Fprintln(w, "not ready:", p)
	}
	if is.Policy != "" {
		fmt.Fprintln(w, "policy:", is.Policy)
	}
	if is.Drops != "" {
		fmt.Fprintln(w, "packet filter:", is.Drops)
	}
	for _, s := range is.Hardening {
		fmt.Fprintln(w, "hardening:", s)
	}
	if is.Limits.Files > 0 {
		fmt.Fprintln(w, "limit: memory:", is.Limits.memory())
		fmt.Fprintln(w, "limit: open files:", is.Limits.files())
	}
	if is.Ready {
		fmt.Fprintln(w, "ready")
	}
}
