// Upstreams: their texts in the configuration, and the sets of upstreams for
// public names and for zones.

package dnsfilter

import (
	"bufio"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// ParseUpstreams parses "system" and the texts that rules.ParseUpstream parses.
// "system" stands for the name servers in the resolv.conf file at the given
// path; a file without any is an error.
func ParseUpstreams(texts []string, resolvConf string) ([]rules.Upstream, error) {
	var ups []rules.Upstream
	for _, s := range texts {
		if s == "system" {
			sys, err := systemUpstreams(resolvConf)
			if err != nil {
				return nil, err
			}
			ups = append(ups, sys...)
			continue
		}
		u, err := rules.ParseUpstream(s)
		if err != nil {
			return nil, err
		}
		ups = append(ups, u)
	}
	if len(ups) == 0 {
		return nil, errors.New("no upstream is configured")
	}
	return ups, nil
}

// systemUpstreams returns the name servers of a resolv.conf file. It ignores
// the search list and the options: nothing is ever appended to a name.
func systemUpstreams(path string) ([]rules.Upstream, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf(`upstream "system": %w`, err)
	}
	defer file.Close()
	var ups []rules.Upstream
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil {
			ups = append(ups, rules.Upstream{Over: rules.OverUDP, Addr: netip.AddrPortFrom(a.Unmap(), 53)})
		}
	}
	if len(ups) == 0 {
		return nil, fmt.Errorf(`upstream "system": %s lists no nameserver`, path)
	}
	return ups, nil
}

// upstreamSet is the upstreams for public names or for one zone.
type upstreamSet struct {
	zone    rules.Name // zero: public names
	servers []*server
	dnssec  DNSSEC // what its answers must prove
}

// server is one upstream and its state.
type server struct {
	rules.Upstream
	text string // address and port, for dialing

	failed  atomic.Bool // the last try had no answer
	down    atomic.Bool // the last probe had no answer either
	probing atomic.Bool

	rtt
	letterCase caseState

	confirms bool           // its bit AD says that DNSSEC proves an answer
	roots    *x509.CertPool // of upstreams with a name
	streams  streams        // to an upstream of DNS over TLS
	doh      doh            // the client of an upstream of DNS over HTTPS

	plan       sync.Mutex    // guards the fields below
	backoff    time.Duration // current delay between probes
	next       time.Duration // earliest next probe
	lastAnswer time.Time
	failures   uint64 // tries without an answer since lastAnswer
	why        error  // of the last failure; nil after an answer
	proved     bool   // it said of an answer that DNSSEC proves it
}

func newUpstreamSet(zone rules.Name, ups []rules.Upstream, roots *x509.CertPool) *upstreamSet {
	set := &upstreamSet{zone: zone}
	for _, u := range ups {
		set.servers = append(set.servers, &server{Upstream: u, text: u.Addr.String(), roots: roots})
	}
	return set
}

// order returns the servers in the order to try them. Servers whose last try
// did not fail come first, as configured, but servers that are much slower than
// the fastest come after the others. Then come servers whose last try failed,
// and then servers whose last probe failed. A failed try weighs less than a
// failed probe, because a slow name of any owner can cause it.
func (s *upstreamSet) order() []*server {
	list := slices.Clone(s.servers)
	if len(list) == 1 {
		return list
	}
	least := time.Duration(0)
	for _, u := range list {
		if t := u.smoothed(); t > 0 && u.rank() == 0 && (least == 0 || t < least) {
			least = t
		}
	}
	place := func(u *server) int {
		if r := u.rank(); r > 0 || least == 0 || u.smoothed() <= least+muchSlower {
			return 2 * r
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b *server) int { return cmp.Compare(place(a), place(b)) })
	return list
}

// rank is 0 for a server whose last try had an answer, 1 for a server whose
// last try had no answer, and 2 for a server that is down.
func (u *server) rank() int {
	switch {
	case u.down.Load():
		return 2
	case u.failed.Load():
		return 1
	}
	return 0
}

// healthy reports whether at least one server is not down.
func (s *upstreamSet) healthy() bool {
	if len(s.servers) == 0 { // none is configured, on purpose
		return true
	}
	for _, u := range s.servers {
		if !u.down.Load() {
			return true
		}
	}
	return false
}
