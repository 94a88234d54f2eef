// Answers: what Prometheus reads of the counters of DNS replies.

package gateway

import (
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/dnsfilter"
	"sallyport/rules"
)

// Several equal replies count as many, in the counter and in the histogram, whose
// buckets hold everything up to their bound.
func TestAnswersAreCounted(t *testing.T) {
	m := newMetrics()
	m.answered(dnsfilter.Answer{Kind: dnsfilter.KindCached, Proto: rules.UDP, Latency: 10 * time.Microsecond, Count: 5})
	m.answered(dnsfilter.Answer{Kind: dnsfilter.KindCached, Proto: rules.TCP, Latency: 3 * time.Millisecond, Count: 1})
	m.answered(dnsfilter.Answer{Kind: dnsfilter.KindCached, Proto: rules.UDP, Latency: time.Minute, Count: 2})
	m.answered(dnsfilter.Answer{Kind: dnsfilter.KindDenied, Proto: rules.UDP, RCode: 3, Latency: time.Microsecond, Count: 1})
	r := prometheus.NewRegistry()
	r.MustRegister(onlyAnswers{&collector{&Gateway{metrics: m}}})
	families, err := r.Gather()
	if err != nil || len(families) != 2 {
		t.Fatal(families, err)
	}
	seconds, replies := families[0].Metric, families[1].Metric
	if len(seconds) != 2 || seconds[0].Label[0].GetValue() != "cached" {
		t.Fatal(seconds)
	}
	got, cached := map[string]float64{}, seconds[0].Histogram
	for _, metric := range replies {
		text := ""
		for _, l := range metric.Label {
			text += l.GetValue() + " "
		}
		got[text] = metric.Counter.GetValue()
	}
	if want := map[string]float64{"cached udp 0 ": 7, "cached tcp 0 ": 1, "denied udp 3 ": 1}; !maps.Equal(got, want) {
		t.Errorf("replies %v, want %v", got, want)
	}
	within := map[float64]uint64{}
	for _, b := range cached.Bucket {
		within[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	if cached.GetSampleCount() != 8 || within[.00001] != 5 || within[.001] != 5 || within[.005] != 6 || within[5] != 6 {
		t.Errorf("histogram %v", cached)
	}
	if want := 120.00305; cached.GetSampleSum() != want {
		t.Errorf("sum %v, want %v", cached.GetSampleSum(), want)
	}
	if n := testing.AllocsPerRun(10, func() { m.answered(dnsfilter.Answer{Kind: dnsfilter.KindCached, Count: 1}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// onlyAnswers collects nothing but the replies.
type onlyAnswers struct{ *collector }

func (c onlyAnswers) Collect(ch chan<- prometheus.Metric) { c.answers(exporter{ch}) }
