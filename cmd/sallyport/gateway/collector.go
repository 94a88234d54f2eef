// Collector: the state of a gateway, read at each scrape of Prometheus.

package gateway

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/cmd/sallyport/series"
	"sallyport/rules"
)

// watch registers the metrics that are read from a gateway's parts.
func (m *metrics) watch(g *Gateway) { m.registry.MustRegister(&collector{g}) }

// A collector reads a gateway's state at each scrape.
type collector struct{ g *Gateway }

// Describe sends nothing, because the set of metrics depends on the events so
// far.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the state of every part.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	e := exporter{ch}
	c.decisions(e)
	c.answers(e)
	c.g.exportProxy(e)
	c.g.exportSecure(e)
	c.g.exportParents(e)
	c.g.exportUpstreams(e)
	c.g.exportJournal(e)
	c.g.sinks.export(e)
	c.g.exportDrops(e)
	c.g.exportPolicy(e)
	c.g.exportSynthetic(e)
}

// An exporter sends numbers as the metrics that the table of series describes.
type exporter struct{ ch chan<- prometheus.Metric }

// send sends one value of the metric with this name. labels are the values of its
// labels, in their order. A name without a description makes the scrape fail.
func (e exporter) send(name string, v float64, labels ...string) {
	m, ok := series.Named(name)
	if !ok {
		e.ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(errUndescribed), fmt.Errorf("%w: %s", errUndescribed, name))
		return
	}
	e.ch <- prometheus.MustNewConstMetric(m.Desc(), m.ValueType(), v, labels...)
}

var errUndescribed = errors.New("a metric without a description")

func (g *Gateway) exportProxy(e exporter) {
	p := g.proxy.Stats()
	e.send("sallyport_connections", float64(p.Connections))
	e.send("sallyport_tunnels", float64(p.Tunnels))
	e.send("sallyport_sniffing", float64(p.Sniffing))
	e.send("sallyport_connections_total", float64(p.Accepted))
	e.send("sallyport_connections_empty_total", float64(p.Empty))
	e.send("sallyport_balancer_checks_total", float64(p.Checks+g.filter.HealthChecks()))
	wrong, proven, paused, busy, remembered := g.proxy.Logins()
	for result, n := range map[string]uint64{"wrong": wrong, "proven": proven - remembered, "paused": paused, "busy": busy, "remembered": remembered} {
		e.send("sallyport_logins_total", float64(n), result)
	}
	e.send("sallyport_connections_refused_total", float64(p.NotAdmitted))
	e.send("sallyport_accept_errors_total", float64(p.AcceptErrors))
	e.send("sallyport_panics_total", float64(p.Panics))
	e.send("sallyport_bytes_total", float64(p.BytesIn), "in")
	e.send("sallyport_bytes_total", float64(p.BytesOut), "out")
	e.send("sallyport_udp_associations", float64(p.Associations))
	e.send("sallyport_udp_flows", float64(p.Datagrams.Flows))
	e.send("sallyport_udp_datagrams_total", float64(p.Datagrams.DatagramsIn), "in")
	e.send("sallyport_udp_datagrams_total", float64(p.Datagrams.DatagramsOut), "out")
	for cause, n := range p.Datagrams.Dropped {
		e.send("sallyport_udp_dropped_total", float64(n), cause.String())
	}
}

// exportUpstreams sends the upstreams of the generation in force. If several zones
// use an upstream, it is up only while it is up for each of them.
func (g *Gateway) exportUpstreams(e exporter) {
	up := map[string]bool{}
	for _, u := range g.filter.Upstreams() {
		addr := u.Addr.String()
		was, seen := up[addr]
		up[addr] = u.Up && (was || !seen)
	}
	for addr, is := range up {
		e.send("sallyport_dns_upstream_up", flag(is), addr)
	}
}

func (g *Gateway) exportJournal(e exporter) {
	j := g.journal.Stats()
	e.send("sallyport_journal_up", flag(j.Healthy))
	e.send("sallyport_journal_queue", float64(j.Queue))
	e.send("sallyport_journal_pending_denials", float64(j.Pending))
	e.send("sallyport_journal_lines_total", float64(j.Lines))
	e.send("sallyport_journal_bytes_total", float64(j.Bytes))
	e.send("sallyport_journal_denials_total", float64(j.Denials))
	e.send("sallyport_journal_folded_total", float64(j.Folded))
	e.send("sallyport_journal_errors_total", float64(j.Errors))
}

func (g *Gateway) exportDrops(e exporter) {
	d := g.drops
	if !d.Reads() {
		return
	}
	e.send("sallyport_filter_journaled", flag(d.Problem() == ""))
	for name, packets := range d.Counters() {
		e.send("sallyport_filter_packets_total", float64(packets), name)
	}
}

func (g *Gateway) exportPolicy(e exporter) {
	g.mu.Lock()
	cfg, loaded, reloadErr := g.cfg, g.loaded, g.reloadErr
	g.mu.Unlock()
	mode := "enforce"
	if cfg.Audit {
		mode = "audit"
	}
	if policy := g.live.Policy(); policy != nil {
		e.send("sallyport_policy_info", 1, policy.Revision(), mode)
		e.send("sallyport_policy_rules", float64(policy.Rules()))
		if at := policy.NextExpiry(); !at.IsZero() {
			e.send("sallyport_policy_next_expiry_timestamp_seconds", float64(at.Unix()))
		}
	}
	for _, s := range g.hardening {
		e.send("sallyport_hardening_info", 1, s.Name, string(s.State))
	}
	e.send("sallyport_policy_loaded_timestamp_seconds", float64(loaded.Unix()))
	e.send("sallyport_policy_current", flag(reloadErr == nil))
	e.send("sallyport_build_info", 1, g.build.Version, g.build.Commit)
}

func (c *collector) decisions(e exporter) {
	for v := range verdicts {
		for r := range reasons {
			for via := range vias {
				for k, known := range [...]string{"no", "yes"} {
					if n := c.g.metrics.decisions[v][r][via][k].Load(); n > 0 {
						verdict := [verdicts]string{"deny", "allow", "would_deny"}[v]
						e.send("sallyport_decisions_total", float64(n), verdict, rules.Reason(r).String(), rules.Via(via).String(), known)
					}
				}
			}
		}
	}
}

func flag(v bool) float64 {
	if v {
		return 1
	}
	return 0
}
