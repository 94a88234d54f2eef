// Ready: /readyz reports whether sallyport serves as configured, the policy in
// force, the hardening and the limits.

package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sallyport/cmd/sallyport/confine"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/denials/text"
)

// readiness is the content of /readyz, in JSON for programs.
type readiness struct {
	Ready     bool           `json:"ready"`
	Problems  []string       `json:"problems"`
	Policy    string         `json:"policy,omitempty"`
	Profiles  []string       `json:"profiles,omitempty"` // those from files
	Broken    []string       `json:"broken_expectations,omitempty"`
	Parents   []parentState  `json:"parents,omitempty"`
	Sinks     []sinkState    `json:"sinks,omitempty"`
	Drops     string         `json:"filter_drops,omitempty"`
	Balancers string         `json:"balancers,omitempty"`
	TLS       string         `json:"tls,omitempty"` // the files of [listen] https
	TLSSoon   []string       `json:"tls_warnings,omitempty"`
	Synthetic string         `json:"synthetic,omitempty"`
	Logins    *loginState    `json:"logins,omitempty"`
	Hardening []confine.Step `json:"hardening"`
	Limits    ProcessLimits  `json:"limits"`
}

// readiness returns the content of /readyz.
func (g *Gateway) readiness() readiness {
	out := readiness{Problems: []string{}, Hardening: g.hardening, Limits: g.limits}
	for _, err := range g.Ready() {
		out.Problems = append(out.Problems, err.Error())
	}
	out.Ready = len(out.Problems) == 0
	g.mu.Lock()
	cfg := g.cfg
	out.Broken = slices.Clone(g.broken)
	g.mu.Unlock()
	out.Drops, out.Balancers = g.describeDrops(), describeBalancers(g.booted.Listen)
	out.TLS, out.TLSSoon = describeSecure(cfg), secureSoon(cfg, g.now())
	out.Synthetic = g.describeSynthetic()
	out.Parents, out.Logins, out.Sinks = g.parentStates(cfg), g.loginState(cfg), g.sinks.states()
	if g.live.Policy() != nil {
		out.Policy, out.Profiles = g.describe(cfg), DescribeProfiles(cfg)
	}
	return out
}

// serveReady answers with text, or with JSON if the request accepts that. A
// hardening step that the kernel lacks is listed, but sallyport is ready.
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
		_ = text.WriteJSON(w, is, "")
		return
	}
	for _, p := range is.Problems {
		fmt.Fprintln(w, "not ready:", p)
	}
	if is.Policy != "" {
		fmt.Fprintln(w, "policy:", is.Policy)
	}
	for _, p := range is.Profiles {
		fmt.Fprintln(w, "profile:", p)
	}
	for _, b := range is.Broken {
		fmt.Fprintln(w, "broken expectation:", b)
	}
	for _, p := range is.Parents {
		fmt.Fprintln(w, "parent:", p)
	}
	for _, s := range is.Sinks {
		fmt.Fprintln(w, "sink:", s)
	}
	if is.Drops != "" {
		fmt.Fprintln(w, "packet filter:", is.Drops)
	}
	if is.Balancers != "" {
		fmt.Fprintln(w, "balancers:", is.Balancers)
	}
	if is.TLS != "" {
		fmt.Fprintln(w, "tls:", is.TLS)
	}
	for _, s := range is.TLSSoon {
		fmt.Fprintln(w, "tls: warning:", s)
	}
	if is.Synthetic != "" {
		fmt.Fprintln(w, "synthetic:", is.Synthetic)
	}
	if is.Logins != nil {
		fmt.Fprintln(w, "logins:", is.Logins)
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

// Ready returns an error for each reason why sallyport does not serve as
// configured; none if it is ready.
func (g *Gateway) Ready() []error {
	g.mu.Lock()
	reload, system, cfg := g.reloadErr, error(nil), g.cfg
	if asksSystem(g.cfg) {
		system = g.outside(g.system.err)
	}
	g.mu.Unlock()
	var errs []error
	if g.draining.Load() {
		errs = append(errs, errors.New("draining"))
	}
	if reload != nil {
		errs = append(errs, fmt.Errorf("configuration: the file was refused, and the earlier configuration stays in force: %s", brief(reload, g.source.file)))
	}
	if system != nil {
		errs = append(errs, fmt.Errorf("dns: sallyport still asks the system's earlier resolvers: %w", system))
	}
	if err := g.journal.Err(); err != nil {
		errs = append(errs, fmt.Errorf("journal: %w", g.outside(err)))
	}
	errs = append(errs, secureEnded(cfg, g.now())...)
	errs = append(errs, nftables.MissingRoutes(g.booted.Listen, cfg)...)
	if err := g.filter.Healthy(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") { // one for each set of upstreams
			errs = append(errs, errors.New(line))
		}
	}
	return append(errs, g.parentsDown()...)
}
