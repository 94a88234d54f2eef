// Metrics: the counters that the parts of a gateway increment.

package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sallyport/cmd/sallyport/series"
	"sallyport/dnsfilter"
	"sallyport/rules"
)

// Sizes of the table of decisions. The verdicts are deny, allow, would_deny.
const (
	verdicts = 3
	reasons  = 64 // more than exist
	vias     = 8
)

// metrics holds the counters of the hot path as plain atomics. A collector reads
// everything else from its owner when Prometheus asks.
type metrics struct {
	registry  *prometheus.Registry
	decisions [verdicts][reasons][vias][2]atomic.Uint64 // the last index: 1 for known denials
	answers   answerCounts
	tries     *prometheus.CounterVec
	reloads   *prometheus.CounterVec
	unreached *prometheus.CounterVec

	mu      sync.Mutex
	counted map[string]bool // upstreams of the generation in force
}

// newMetrics returns metrics with a registry of their own.
func newMetrics() *metrics {
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		tries:     series.Counter("sallyport_dns_upstream_tries_total"),
		reloads:   series.Counter("sallyport_reloads_total"),
		unreached: series.Counter("sallyport_dial_failures_total"),
	}
	m.reloads.WithLabelValues("ok")
	m.reloads.WithLabelValues("refused")
	m.registry.MustRegister(m.tries, m.reloads, m.unreached,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// decided counts one final decision. It allocates nothing.
func (m *metrics) decided(a rules.Attempt, d rules.Decision, known bool) {
	m.decidedTimes(a, d, known, 1)
}

// decidedTimes counts several equal decisions.
func (m *metrics) decidedTimes(a rules.Attempt, d rules.Decision, known bool, times uint64) {
	v := int(d.Verdict)
	if d.Would {
		v = 2
	}
	k := 0
	if known {
		k = 1
	}
	m.decisions[v][int(d.Why())%reasons][int(a.Via)%vias][k].Add(times)
}

// tried counts one query to an upstream.
func (m *metrics) tried(t dnsfilter.UpstreamTry) {
	result := "failed"
	if t.Up {
		result = "ok"
	}
	m.tries.WithLabelValues(t.Addr.String(), result).Inc()
}

// keepUpstreams removes the counts of every upstream that is not in the list.
func (m *metrics) keepUpstreams(list []dnsfilter.UpstreamState) {
	now := map[string]bool{}
	for _, u := range list {
		now[u.Addr.String()] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for addr := range m.counted {
		if !now[addr] {
			m.tries.DeletePartialMatch(prometheus.Labels{"upstream": addr})
		}
	}
	m.counted = now
}
