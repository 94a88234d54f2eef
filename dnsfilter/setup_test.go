// Setup: makes the filter of a test, and puts generations in force.

package dnsfilter

import (
	"sync/atomic"
	"testing"

	"sallyport/rules"
)

// setup is the configuration of a test's Filter and of its first generation.
type setup struct {
	Config
	ResolverConfig
}

// generations holds the generation in force. Its Policy is nil: the test's Gate
// decides without it.
type generations struct {
	live atomic.Pointer[rules.Generation]
}

// reload puts a generation with a new Resolver in force.
func (g *generations) reload(t testing.TB, c ResolverConfig) {
	t.Helper()
	r, err := NewResolver(c)
	if err != nil {
		t.Fatal(err)
	}
	g.live.Store(&rules.Generation{Resolver: r})
}

// filter makes the Filter and puts its first generation in force.
func (s setup) filter(t testing.TB) (*Filter, *generations) {
	t.Helper()
	g := new(generations)
	if s.InFlight == 0 {
		s.InFlight = s.Limits.InFlight
	}
	g.reload(t, s.ResolverConfig)
	if s.Generation == nil {
		s.Generation = g.live.Load
	}
	return New(s.Config), g
}

// nowhere returns an upstream that answers nothing.
func nowhere(t testing.TB) []rules.Upstream {
	t.Helper()
	ups, err := ParseUpstreams([]string{"udp://127.0.0.1:9"}, "")
	if err != nil {
		t.Fatal(err)
	}
	return ups
}
