// Parents: makes the parents of a configuration ready to use, and reports how they are.

package gateway

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/denials/page"
	"sallyport/rules"
	"sallyport/rules/site"
)

// readyParents completes the parents and the sinks of a configuration for a process that connects to
// them. A parent or sink with a file that this user cannot read is an error. One with TLS and without ca gets the
// certificate authorities of this host: they are read now, because a confined process cannot read
// them later.
func readyParents(cfg *site.Config, roots func() *x509.CertPool) error {
	var errs []error
	for _, p := range cfg.Parents {
		if p.Unread != nil {
			errs = append(errs, p.Unread)
		}
		if p.Scheme != rules.ParentHTTPS || p.Roots != nil {
			continue
		}
		if p.Roots = roots(); p.Roots == nil {
			errs = append(errs, fmt.Errorf("%s:%d: [[parent]] %s: this process can read no certificate authorities of this host: name those of the parent in ca, or install ca-certificates and restart", cfg.File, p.Line, p.Name))
		}
	}
	for _, s := range cfg.Sinks {
		if s.Unread != nil {
			errs = append(errs, s.Unread)
		}
		if s.Scheme != rules.SinkTLS || s.Roots != nil {
			continue
		}
		if s.Roots = roots(); s.Roots == nil {
			errs = append(errs, fmt.Errorf("%s:%d: [[sink]] %s: this process can read no certificate authorities of this host: name those of the receiver in ca, or install ca-certificates and restart", cfg.File, s.Line, s.Name))
		}
	}
	return errors.Join(errs...)
}

// DescribeWay describes the way of a permitted flow: the parents by name, or "direct", and the same
// for people. Both are "" for a denial, and for a configuration without a parent.
func DescribeWay(policy *rules.Policy, a rules.Attempt, d rules.Decision) (way, text string) {
	switch {
	case !d.Allowed() || len(policy.Parents()) == 0:
		return "", ""
	case a.Proto != rules.TCP:
		return rules.RouteDirect, "direct: no parent carries datagrams"
	}
	route := d.Route()
	if route.Direct(a.Target(), a.Dest.Addr()) {
		return rules.RouteDirect, "direct: sallyport connects itself"
	}
	var names, texts []string
	prefixes := false
	for _, p := range route.Parents {
		names, texts = append(names, p.Name), append(texts, p.String())
	}
	for _, to := range route.Parents[0].Direct {
		prefixes = prefixes || to.Prefix.IsValid()
	}
	text = "through parent " + strings.Join(texts, ", else ")
	if prefixes && !route.ByName() && !a.Target().IsZero() && !a.Dest.Addr().IsValid() {
		text += "; direct if the name has an address in direct"
	}
	return strings.Join(names, " "), text
}

// A parentState is one parent in /readyz.
type parentState struct {
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	By        string    `json:"by"`
	State     string    `json:"state"` // "unused", "works", or the fault of the last flow
	Since     time.Time `json:"since,omitzero"`
	Check     string    `json:"check,omitempty"` // how its checks end; "": it has no health interval
	Connected uint64    `json:"connected"`
	Failed    uint64    `json:"failed"`
}

// parentStates returns the state of each parent of a configuration, by the flows so far.
func (g *Gateway) parentStates(cfg *site.Config) []parentState {
	stats := g.parentStats()
	var out []parentState
	for _, p := range cfg.Parents {
		one := parentState{Name: p.Name, URL: p.URL(), By: "address", State: "unused"}
		if p.ByName {
			one.By = "name"
		}
		one.Check = describeCheck(p, stats[p.Name])
		if s, used := stats[p.Name]; used && !s.Since.IsZero() {
			one.State, one.Since, one.Connected = "works", s.Since.UTC(), s.Connected
			if fault := s.Last.DialFault(); fault != "" {
				one.State = fault
			}
			for _, n := range s.Failed {
				one.Failed += n
			}
		}
		out = append(out, one)
	}
	return out
}

// String describes the parent in one line.
func (s parentState) String() string {
	state, check := s.State, s.Check
	if !s.Since.IsZero() {
		state += " since " + s.Since.Format(time.RFC3339)
	}
	if s.State == "works" && s.checksFail() { // it worked for the last flow, which was before the check
		state, check = check, ""
	}
	text := fmt.Sprintf("%s, %s, by %s: %s", s.Name, s.URL, s.By, state)
	if !s.Since.IsZero() {
		text += fmt.Sprintf("; %s carried, %d failed", rules.Counted(s.Connected, "flow", "flows"), s.Failed)
	}
	if check != "" {
		text += "; " + check
	}
	return text
}

// checksFail reports whether the last check of the parent failed.
func (s parentState) checksFail() bool { return strings.HasPrefix(s.Check, checksFail) }

// parentHealth returns a line of the health page for each parent.
func (g *Gateway) parentHealth(cfg *site.Config) []page.Health {
	var rows []page.Health
	for _, s := range g.parentStates(cfg) {
		ok := (s.State == "works" || s.State == "unused") && !s.checksFail()
		name, text, _ := strings.Cut(s.String(), ", ")
		rows = append(rows, page.Health{Name: "Parent " + name, OK: ok, Text: text})
	}
	return rows
}

// exportParents sends the flows of each parent. A parent that was not used has a zero.
func (g *Gateway) exportParents(e exporter) {
	g.mu.Lock()
	cfg := g.cfg
	g.mu.Unlock()
	used := g.parentStats()
	for _, s := range used {
		e.send("sallyport_parent_flows_total", float64(s.Connected), s.Name, "ok")
		for cause, n := range s.Failed {
			e.send("sallyport_parent_flows_total", float64(n), s.Name, cause.DialFault())
		}
	}
	for _, p := range cfg.Parents {
		s, known := used[p.Name]
		if !known {
			e.send("sallyport_parent_flows_total", 0, p.Name, "ok")
		}
		if p.Health > 0 {
			e.send("sallyport_parent_up", flag(s.Health == rules.EndClean && !s.HealthSince.IsZero()), p.Name)
		}
	}
}
