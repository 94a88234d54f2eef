// Drops: how the packet filter notes whose packets it swallows, so that they
// can be journaled: sets of client and destination, with a counter each.

package nftables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A notedCounter has sets beside it that tell by whom and where to.
type notedCounter struct {
	name  string
	ports bool // its packets have ports
}

// notedCounters are the counters whose packets a client sent on purpose, with
// an address that is its own as far as the filter can tell. The packets of the
// others belong to no client, or claim a source that is not to be believed.
func notedCounters(mode Mode) []notedCounter {
	list := []notedCounter{
		{"drop_fragment", false}, {"drop_ip_options", false}, {"drop_unknown_client", false},
		{"reject_quic", true}, {"drop_dot", true}, {"drop_icmp", false}, {"drop_tcp", true}, {"drop_udp", true}, {"drop_other", false},
	}
	if mode == Sidecar {
		list = append(list, notedCounter{"drop_docker_resolver", false})
	}
	return list
}

// A family is what the sets and lines of one IP version have of their own.
type family struct{ digit, word, kind string }

func families() []family { return []family{{"4", "ip", "ipv4_addr"}, {"6", "ip6", "ipv6_addr"}} }

// Names of a noted counter's sets, by family: of client, destination, protocol
// and port; and of the client alone, for what the first has no room for.
func flowSet(counter, digit string) string   { return counter + "/flows" + digit }
func clientSet(counter, digit string) string { return counter + "/clients" + digit }

// The bounds of those sets. An entry that nothing was added to for that long
// gives its place away; what has no place is in the counter alone.
const (
	noteSize = 1024
	noteTime = "1h"
)

// noteSets declares the sets of the noted counters.
func noteSets(mode Mode) string {
	var b strings.Builder
	for _, c := range notedCounters(mode) {
		for _, f := range families() {
			key := f.kind + " . " + f.kind + " . inet_proto"
			if c.ports {
				key += " . inet_service"
			}
			for _, s := range [][2]string{{flowSet(c.name, f.digit), key}, {clientSet(c.name, f.digit), f.kind}} {
				b.WriteString("\n\tset " + s[0] + " { type " + s[1] + "; flags dynamic,timeout; timeout " + noteTime + "; size " + strconv.Itoa(noteSize) + "; counter; }")
			}
		}
	}
	return b.String()
}

// dropLines are the lines for one kind of packet that is not let through: into
// a set of flows, or else of clients, or else into the counter alone. Each
// packet is counted in exactly one place beside the counter. family is "4",
// "6" or "" for both.
func dropLines(mode Mode, digit, match, counter, verdict string) (string, error) {
	i := slices.IndexFunc(notedCounters(mode), func(c notedCounter) bool { return c.name == counter })
	if i < 0 {
		return "", fmt.Errorf("counter %s has no sets", counter)
	}
	if match != "" {
		match += " "
	}
	var b strings.Builder
	for _, f := range families() {
		if digit != "" && digit != f.digit {
			continue
		}
		key := f.word + " saddr . " + f.word + " daddr . meta l4proto"
		if notedCounters(mode)[i].ports {
			key += " . th dport"
		}
		b.WriteString(match + "update @" + flowSet(counter, f.digit) + " { " + key + " } counter name " + counter + " " + verdict + "\n\t\t")
		b.WriteString(match + "update @" + clientSet(counter, f.digit) + " { " + f.word + " saddr } counter name " + counter + " " + verdict + "\n\t\t")
	}
	b.WriteString(match + "counter name " + counter + " " + verdict)
	return b.String(), nil
}
