// Answers: the counters of the replies of the DNS filter.

package gateway

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/cmd/sallyport/series"
	"sallyport/dnsfilter"
	"sallyport/rules"
)

// Sizes of the table of replies.
const (
	answerKinds = int(dnsfilter.KindSynthetic) + 1
	protocols   = int(rules.UDP) + 1
	rcodes      = 32 // the extended ones that the filter sends are below that
)

// answerBounds are the upper bounds of the histogram of latencies, but the last one,
// which has no bound.
var answerBounds = [...]time.Duration{
	10 * time.Microsecond, 100 * time.Microsecond,
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

// answerCounts counts replies with plain atomics.
type answerCounts struct {
	replies [answerKinds][protocols][rcodes]atomic.Uint64
	latency [answerKinds]latencyCounts
}

// latencyCounts is one histogram.
type latencyCounts struct {
	within [len(answerBounds) + 1]atomic.Uint64 // not cumulative
	sum    atomic.Int64                         // nanoseconds
}

// answered counts replies of the DNS filter. It allocates nothing.
func (m *metrics) answered(a dnsfilter.Answer) {
	kind, n := min(int(a.Kind), answerKinds-1), uint64(max(a.Count, 0))
	m.answers.replies[kind][int(a.Proto)%protocols][a.RCode%rcodes].Add(n)
	i := 0
	for i < len(answerBounds) && a.Latency > answerBounds[i] {
		i++
	}
	l := &m.answers.latency[kind]
	l.within[i].Add(n)
	l.sum.Add(int64(a.Latency) * int64(n))
}

// answers sends the replies that there were.
func (c *collector) answers(e exporter) {
	for kind := range answerKinds {
		label := dnsfilter.Kind(kind).String()
		for proto := range protocols {
			for rcode := range rcodes {
				if n := c.g.metrics.answers.replies[kind][proto][rcode].Load(); n > 0 {
					e.send("sallyport_dns_answers_total", float64(n), label, rules.Proto(proto).String(), strconv.Itoa(rcode))
				}
			}
		}
		if count, sum, within := c.g.metrics.answers.latency[kind].read(); count > 0 {
			d, _ := series.Named("sallyport_dns_answer_seconds")
			e.ch <- prometheus.MustNewConstHistogram(d.Desc(), count, sum, within, label)
		}
	}
}

// read returns a histogram as Prometheus wants it: sums of seconds, and each bound with
// the number of replies up to it.
func (l *latencyCounts) read() (count uint64, sum float64, within map[float64]uint64) {
	within = make(map[float64]uint64, len(answerBounds))
	for i, bound := range answerBounds {
		count += l.within[i].Load()
		within[bound.Seconds()] = count
	}
	return count + l.within[len(answerBounds)].Load(), time.Duration(l.sum.Load()).Seconds(), within
}
