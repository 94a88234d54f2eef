// Metrics: what Prometheus sees. One registry of our own; names are listed here.

package main

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sallyport/dnsfilter"
	"sallyport/rules"
)

// Sizes of the decision table: verdicts deny, allow, would_deny.
const (
	verdicts = 3
	reasons  = 64 // more than there are
	vias     = 8
)

// metrics holds the counters of the hot path as plain atomics; everything else
// is read from its owner when Prometheus asks.
type metrics struct {
	registry  *prometheus.Registry
	decisions [verdicts][reasons][vias]atomic.Uint64
	answers   *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	tries     *prometheus.CounterVec
	upstream  *prometheus.GaugeVec
	reloads   *prometheus.CounterVec
	unreached *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_dns_answers_total", Help: "DNS replies, by how they came to be, transport and response code.",
		}, []string{"kind", "proto", "rcode"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sallyport_dns_answer_seconds", Help: "Time from a DNS query's arrival to its reply.",
			Buckets: []float64{.00001, .0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"kind"}),
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_dns_upstream_tries_total", Help: "Queries to upstream resolvers, by outcome.",
		}, []string{"upstream", "result"}),
		upstream: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sallyport_dns_upstream_up", Help: "1 while the upstream answers, if only a probe.",
		}, []string{"upstream"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_reloads_total", Help: "Reloads of the configuration, by result.",
		}, []string{"result"}),
		unreached: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_dial_failures_total", Help: "Permitted flows whose destination could not be reached, by what went wrong.",
		}, []string{"fault"}),
	}
	m.reloads.WithLabelValues("ok")
	m.reloads.WithLabelValues("refused")
	m.registry.MustRegister(m.answers, m.latency, m.tries, m.upstream, m.reloads, m.unreached,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// decided counts one final decision. It allocates nothing.
func (m *metrics) decided(a rules.Attempt, d rules.Decision) { m.decidedTimes(a, d, 1) }

// decidedTimes counts decisions that are alike.
func (m *metrics) decidedTimes(a rules.Attempt, d rules.Decision, times uint64) {
	v := int(d.Verdict)
	if d.Would {
		v = 2
	}
	m.decisions[v][int(d.Why())%reasons][int(a.Via)%vias].Add(times)
}

func (m *metrics) answered(a dnsfilter.Answer) {
	kind := a.Kind.String()
	m.answers.WithLabelValues(kind, a.Proto.String(), strconv.Itoa(a.RCode)).Inc()
	m.latency.WithLabelValues(kind).Observe(a.Latency.Seconds())
}

func (m *metrics) tried(t dnsfilter.UpstreamTry) {
	addr, result, up := t.Addr.String(), "failed", 1.0
	if t.Up {
		result = "ok"
	}
	if t.Down {
		up = 0
	}
	m.tries.WithLabelValues(addr, result).Inc()
	m.upstream.WithLabelValues(addr).Set(up)
}

// watch registers what is read from a gateway's parts.
func (m *metrics) watch(g *Gateway) { m.registry.MustRegister(&collector{g}) }

// collector reads a gateway's state at each scrape.
type collector struct{ g *Gateway }

// Describe sends nothing: the set of metrics depends on what happened.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the state of the decisions, proxy, journal and policy.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.decisions(ch)
	number := func(t prometheus.ValueType, v float64, name, help string, labels ...string) {
		var keys, values []string
		for i := 0; i+1 < len(labels); i += 2 {
			keys, values = append(keys, labels[i]), append(values, labels[i+1])
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, keys, nil), t, v, values...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	p := c.g.proxy.Stats()
	number(gauge, float64(p.Connections), "sallyport_connections", "Accepted proxy connections that are open.")
	number(gauge, float64(p.Tunnels), "sallyport_tunnels", "Flows that are connected to their destination.")
	number(gauge, float64(p.Sniffing), "sallyport_sniffing", "Tunnels whose first bytes are awaited.")
	number(counter, float64(p.Accepted), "sallyport_connections_total", "Accepted proxy connections.")
	number(counter, float64(p.Empty), "sallyport_connections_empty_total", "Proxy connections that closed without sending a byte and were denied nothing.")
	number(counter, float64(p.NotAdmitted), "sallyport_connections_refused_total", "Proxy connections refused for a limit or a drain.")
	number(counter, float64(p.AcceptErrors), "sallyport_accept_errors_total", "Accepts that failed, such as for want of file descriptors.")
	number(counter, float64(p.Panics), "sallyport_panics_total", "Connections that ended in a recovered panic.")
	number(counter, float64(p.BytesIn), "sallyport_bytes_total", "Bytes relayed; in: from clients, out: to clients.", "direction", "in")
	number(counter, float64(p.BytesOut), "sallyport_bytes_total", "Bytes relayed; in: from clients, out: to clients.", "direction", "out")

	j := c.g.journal.Stats()
	number(gauge, flag(j.Healthy), "sallyport_journal_up", "1 while the journal can be written.")
	number(gauge, float64(j.Queue), "sallyport_journal_queue", "Records that wait for the writer.")
	number(gauge, float64(j.Pending), "sallyport_journal_pending_denials", "Denials that are counted and not yet in the file.")
	number(counter, float64(j.Lines), "sallyport_journal_lines_total", "Lines written.")
	number(counter, float64(j.Bytes), "sallyport_journal_bytes_total", "Bytes written.")
	number(counter, float64(j.Denials), "sallyport_journal_denials_total", "Denials recorded, one by one or in counts.")
	number(counter, float64(j.Folded), "sallyport_journal_folded_total", "Decisions that were recorded in a count with others.")
	number(counter, float64(j.Errors), "sallyport_journal_errors_total", "Failed attempts to write.")

	if d := c.g.drops; d != nil && d.Reads() {
		number(gauge, flag(d.Problem() == ""), "sallyport_filter_journaled", "1 while what the packet filter drops is journaled.")
		for name, packets := range d.Counters() {
			number(counter, float64(packets), "sallyport_filter_packets_total", "Packets that the packet filter dropped or rejected, by counter of the ruleset; begins anew when that is loaded.", "counter", name)
		}
	}

	c.g.mu.Lock()
	cfg, loaded, reloadErr := c.g.cfg, c.g.loaded, c.g.reloadErr
	c.g.mu.Unlock()
	mode := "enforce"
	if cfg.Audit {
		mode = "audit"
	}
	if policy := c.g.live.Policy(); policy != nil {
		number(gauge, 1, "sallyport_policy_info", "The policy in force.", "revision", policy.Revision(), "mode", mode)
		number(gauge, float64(policy.Rules()), "sallyport_policy_rules", "Rules in force, over all clients.")
		if at := policy.NextExpiry(); !at.IsZero() {
			number(gauge, float64(at.Unix()), "sallyport_policy_next_expiry_timestamp_seconds", "When the next [[rule]] expires; absent while none does.")
		}
	}
	for _, s := range c.g.hardening {
		number(gauge, 1, "sallyport_hardening_info", "What the process gave up at its start; state: on, absent (not in this kernel), failed or off.", "step", s.Name, "state", string(s.State))
	}
	number(gauge, float64(loaded.Unix()), "sallyport_policy_loaded_timestamp_seconds", "When the policy in force was loaded.")
	number(gauge, flag(reloadErr == nil), "sallyport_policy_current", "1 while the configuration file is what is in force.")
	number(gauge, 1, "sallyport_build_info", "This build.", "version", version, "commit", commit())
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
