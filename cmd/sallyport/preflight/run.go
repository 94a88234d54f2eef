// Run: tries every destination of a plan, several in parallel, until all are
// done or the user interrupts.

package preflight

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"sync"
	"time"

	"sallyport/proxy"
	"sallyport/rules"
)

// A Dialer resolves and dials as the gateway does: package proxy's Proxy.
type Dialer interface {
	Resolve(ctx context.Context, a rules.Attempt) ([]netip.Addr, rules.Attempt, error)
	DialOne(ctx context.Context, d rules.Decision, a rules.Attempt, addr netip.Addr) (net.Conn, rules.Attempt, error)
}

// Config has the parameters of a run. All fields but Progress and Roots are
// required.
type Config struct {
	Gate     rules.Gate // answers from the policy; records nothing
	Dialer   Dialer
	Roots    *x509.CertPool // nil: this host has no certificate authorities
	Timeout  time.Duration  // for each step
	Parallel int            // number of parallel steps
	Agent    string         // the User-Agent of HTTP
	Now      func() time.Time
	Progress func(done, total int) // is called by one goroutine at a time; nil: no reports
	Again    <-chan time.Time      // Progress is called again at each tick, to show that the run goes on; nil: never
}

// Run tries the plan. If ctx ends, it returns the results so far.
func Run(ctx context.Context, cfg Config, plan *Plan) *Report {
	r := &runner{cfg: cfg, slots: make(chan struct{}, cfg.Parallel)}
	report := &Report{Schema: 1, Started: cfg.Now().UTC(), TimeoutMS: cfg.Timeout.Milliseconds(), NotTried: plan.NotTried, Destinations: make([]*Destination, len(plan.targets))}
	if report.NotTried == nil {
		report.NotTried = []Untried{}
	}
	p := progress{report: cfg.Progress, total: len(plan.targets)}
	defer p.repeat(cfg.Again)()
	var all sync.WaitGroup
	for i, t := range plan.targets {
		all.Go(func() {
			report.Destinations[i] = r.destination(ctx, t)
			p.more(1)
		})
	}
	all.Wait()
	report.Interrupted = ctx.Err() != nil
	report.DurationMS = cfg.Now().Sub(report.Started).Milliseconds()
	report.count()
	report.NoRoute = report.unrouted()
	return report
}

// count fills in the summary.
func (r *Report) count() {
	for _, d := range r.Destinations {
		switch d.Status {
		case OK:
			r.Summary.OK++
		case Warning:
			r.Summary.Warning++
		case Failed:
			r.Summary.Failed++
		case Unfinished:
			r.Summary.Unfinished++
		case NotTried:
			r.Summary.NotTried++
		}
	}
	r.Summary.NotTried += len(r.NotTried)
}

type runner struct {
	cfg   Config
	slots chan struct{}
}

// slot waits until a parallel step is free. It returns false if the run is
// interrupted.
func (r *runner) slot(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case r.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *runner) free() { <-r.slots }

// An asked is one client's grant for a destination.
type asked struct {
	attempt  rules.Attempt
	decision rules.Decision
}

// destination tries one target: it asks the Gate, resolves the name, and tries
// every address.
func (r *runner) destination(ctx context.Context, t *target) *Destination {
	d := &Destination{Host: t.host(), Port: t.port, Proto: t.proto.String(), Status: Unfinished, Needs: t.needs, Results: []*Address{}}
	grants, denied := r.ask(t)
	if len(grants) == 0 {
		d.Status, d.Finding = Failed, r.place(t, netip.Addr{}).finding(PolicyDenied, denied)
		return d
	}
	addrs := []netip.Addr{{}} // the parent finds the address
	if t.proto != rules.TCP || !proxy.LeftToParent(grants[0].decision, grants[0].attempt) {
		var ok bool
		if addrs, ok = r.resolve(ctx, t, d, grants); !ok {
			return d
		}
	}
	d.Results = make([]*Address, len(addrs))
	var all sync.WaitGroup
	for i, addr := range addrs {
		all.Go(func() { d.Results[i] = r.address(ctx, t, grants, addr) })
	}
	all.Wait()
	d.judge(r.place(t, netip.Addr{}))
	if (d.Status == OK || d.Status == NotTried) && d.unproven != "" {
		d.Status, d.Finding = Warning, r.place(t, netip.Addr{}).finding(DNSBogus, d.unproven)
	}
	d.sampled(r.place(t, netip.Addr{}))
	return d
}

// ask asks the Gate for every client whose rules list the target.
func (r *runner) ask(t *target) (grants []asked, denied string) {
	for _, q := range t.asks {
		a := t.attempt(q.addr)
		a.Identity = q.client.Demanded()
		decision := r.cfg.Gate.Decide(a)
		if !decision.Allowed() {
			denied = q.client.Name + ": " + decision.Why().String()
			continue
		}
		grants = append(grants, asked{a, decision})
	}
	return grants, denied
}

// attempt returns the first attempt that a front end would make for the target.
func (t *target) attempt(from netip.Addr) rules.Attempt {
	a := rules.Attempt{
		Via: rules.ViaConnect, Client: netip.AddrPortFrom(from, 0), Proto: t.proto,
		Authority: t.name, Dest: netip.AddrPortFrom(t.addr, t.port), Provisional: true,
	}
	if t.proto == rules.UDP {
		a.Via = rules.ViaUDP
	}
	return a
}

// resolve finds the addresses of a target. If there are none, it returns false,
// and d has the reason.
func (r *runner) resolve(ctx context.Context, t *target, d *Destination, grants []asked) ([]netip.Addr, bool) {
	if t.name.IsZero() {
		return []netip.Addr{t.addr}, true
	}
	if !r.slot(ctx) {
		return nil, false
	}
	began := r.cfg.Now()
	addrs, a, err := r.cfg.Dialer.Resolve(ctx, grants[0].attempt)
	took := r.cfg.Now().Sub(began)
	r.free()
	if ctx.Err() != nil {
		return nil, false
	}
	d.DNS = &DNS{OK: err == nil, DurationMS: millis(took), Addresses: []string{}}
	if err != nil {
		problem, detail := nameProblem(err)
		if why, text := proxy.Denial(err); why == rules.DNSBogus {
			problem, detail = DNSBogus, text
		}
		d.Status, d.Finding = Failed, r.place(t, netip.Addr{}).finding(problem, detail)
		d.noRoute = noRoute(err)
		return nil, false
	}
	for i := range grants {
		grants[i].attempt.Resolved = a.Resolved
	}
	if a.Unproven {
		d.unproven = a.Detail
	}
	for _, addr := range addrs {
		d.DNS.Addresses = append(d.DNS.Addresses, addr.String())
	}
	tried := sample(addrs)
	d.DNS.NotTried = len(addrs) - len(tried)
	return tried, true
}

// reaching returns a grant that reaches addr. If there is none, it returns
// false and the reason.
func (t *target) reaching(grants []asked, addr netip.Addr) (g asked, why rules.Reason, ok bool) {
	for _, g := range grants {
		if why = g.decision.Reach(netip.AddrPortFrom(addr, t.port)); why == rules.ReasonNone {
			return g, why, true
		}
	}
	return asked{}, why, false
}

// hint is the gateway's own hint about an address that it does not dial.
func (r *runner) hint(g asked, dest netip.AddrPort, why rules.Reason) string {
	a := g.attempt
	a.Dest, a.Fault = dest, why
	return rules.Hint(a, r.cfg.Gate.Preview(a))
}

// place describes where something is tried.
func (r *runner) place(t *target, addr netip.Addr) place {
	p := place{host: t.host(), port: t.port, proto: t.proto.String(), timeout: r.cfg.Timeout, own: t.name.IsZero()}
	if addr.IsValid() {
		p.addr, p.inside = addr.String(), rules.Special(addr)
		p.own = p.own || p.inside
	}
	return p
}

// millis rounds to a tenth.
func millis(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}
