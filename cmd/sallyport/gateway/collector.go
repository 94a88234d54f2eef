// Collector: the state of a gateway, read at each scrape of Prometheus.

package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"sallyport/rules"
)

// watch registers the metrics that are read from a gateway's parts.
func (m *metrics) watch(g *Gateway) { m.registry.MustRegister(&collector{g}) }

// A collector reads a gateway's state at each scrape.
type collector struct{ g *Gateway }

// Describe sends nothing: which metrics there are depends on what happened.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the state of every part.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	e := exporter{ch}
	c.decisions(ch)
	c.g.exportProxy(e)
	c.g.exportUpstreams(e)
	c.g.exportJournal(e)
	c.g.exportDrops(e)
	c.g.exportPolicy(e)
}

// An exporter sends numbers as metrics. labels are names and values in turn.
type exporter struct{ ch chan<- prometheus.Metric }

func (e exporter) counter(v float64, name, help string, labels ...string) {
	e.send(prometheus.CounterValue, v, name, help, labels)
}

func (e exporter) gauge(v float64, name, help string, labels ...string) {
	e.send(prometheus.GaugeValue, v, name, help, labels)
}

func (e exporter) send(t prometheus.ValueType, v float64, name, help string, labels []string) {
	var keys, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		keys, values = append(keys, labels[i]), append(values, labels[i+1])
	}
	e.ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, keys, nil), t, v, values...)
}

func (g *Gateway) exportProxy(e exporter) {
	p := g.proxy.Stats()
	e.gauge(float64(p.Connections), "sallyport_connections", "Accepted proxy connections that are open.")
	e.gauge(float64(p.Tunnels), "sallyport_tunnels", "Flows that are connected to their destination.")
	e.gauge(float64(p.Sniffing), "sallyport_sniffing", "Tunnels whose first bytes are awaited.")
	e.counter(float64(p.Accepted), "sallyport_connections_total", "Accepted proxy connections.")
	e.counter(float64(p.Empty), "sallyport_connections_empty_total", "Proxy connections that closed without sending a byte and were denied nothing.")
	e.counter(float64(p.NotAdmitted), "sallyport_connections_refused_total", "Proxy connections refused for a limit or a drain.")
	e.counter(float64(p.AcceptErrors), "sallyport_accept_errors_total", "Accepts that failed, such as for want of file descriptors.")
	e.counter(float64(p.Panics), "sallyport_panics_total", "Connections that ended in a recovered panic.")
	e.counter(float64(p.BytesIn), "sallyport_bytes_total", "Bytes relayed; in: from clients, out: to clients.", "direction", "in")
	e.counter(float64(p.BytesOut), "sallyport_bytes_total", "Bytes relayed; in: from clients, out: to clients.", "direction", "out")
}

// exportUpstreams sends the upstreams of the generation in force. One that serves
// several zones is up while every zone has its answers.
func (g *Gateway) exportUpstreams(e exporter) {
	up := map[string]bool{}
	for _, u := range g.filter.Upstreams() {
		addr := u.Addr.String()
		was, seen := up[addr]
		up[addr] = u.Up && (was || !seen)
	}
	for addr, is := range up {
		e.gauge(flag(is), "sallyport_dns_upstream_up", "1 while the upstream answers, if only a probe.", "upstream", addr)
	}
}

func (g *Gateway) exportJournal(e exporter) {
	j := g.journal.Stats()
	e.gauge(flag(j.Healthy), "sallyport_journal_up", "1 while the journal can be written.")
	e.gauge(float64(j.Queue), "sallyport_journal_queue", "Records that wait for the writer.")
	e.gauge(float64(j.Pending), "sallyport_journal_pending_denials", "Denials that are counted and not yet in the file.")
	e.counter(float64(j.Lines), "sallyport_journal_lines_total", "Lines written.")
	e.counter(float64(j.Bytes), "sallyport_journal_bytes_total", "Bytes written.")
	e.counter(float64(j.Denials), "sallyport_journal_denials_total", "Denials recorded, one by one or in counts.")
	e.counter(float64(j.Folded), "sallyport_journal_folded_total", "Decisions that were recorded in a count with others.")
	e.counter(float64(j.Errors), "sallyport_journal_errors_total", "Failed attempts to write.")
}

func (g *Gateway) exportDrops(e exporter) {
	d := g.drops
	if !d.Reads() {
		return
	}
	e.gauge(flag(d.Problem() == ""), "sallyport_filter_journaled", "1 while what the packet filter drops is journaled.")
	for name, packets := range d.Counters() {
		e.counter(float64(packets), "sallyport_filter_packets_total", "Packets that the packet filter dropped or rejected, by counter of the ruleset; begins anew when that is loaded.", "counter", name)
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
		e.gauge(1, "sallyport_policy_info", "The policy in force.", "revision", policy.Revision(), "mode", mode)
		e.gauge(float64(policy.Rules()), "sallyport_policy_rules", "Rules in force, over all clients.")
		if at := policy.NextExpiry(); !at.IsZero() {
			e.gauge(float64(at.Unix()), "sallyport_policy_next_expiry_timestamp_seconds", "When the next [[rule]] expires; absent while none does.")
		}
	}
	for _, s := range g.hardening {
		e.gauge(1, "sallyport_hardening_info", "What the process gave up at its start; state: on, absent (not in this kernel), failed or off.", "step", s.Name, "state", string(s.State))
	}
	e.gauge(float64(loaded.Unix()), "sallyport_policy_loaded_timestamp_seconds", "When the policy in force was loaded.")
	e.gauge(flag(reloadErr == nil), "sallyport_policy_current", "1 while the configuration file is what is in force.")
	e.gauge(1, "sallyport_build_info", "This build.", "version", g.build.Version, "commit", g.build.Commit)
}

func (c *collector) decisions(ch chan<- prometheus.Metric) {
	desc := prometheus.NewDesc("sallyport_decisions_total", "Final decisions, by verdict, reason and front end.", []string{"verdict", "reason", "via"}, nil)
	for v := range verdicts {
		for r := range reasons {
			for via := range vias {
				n := c.g.metrics.decisions[v][r][via].Load()
				if n == 0 {
					continue
				}
				verdict := [verdicts]string{"deny", "allow", "would_deny"}[v]
				ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), verdict, rules.Reason(r).String(), rules.Via(via).String())
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
