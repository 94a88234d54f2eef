// Drop sets: the sets in which the packet filter counts drops by client and destination, for the
// journal.

package nftables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A recordedCounter is a counter with sets that count its packets by client and destination.
type recordedCounter struct {
	name  string
	ports bool // its packets have ports
}

// recordedCounters returns the counters whose drops are journaled: a client sent
// these packets, and the filter found nothing wrong with its address. The packets
// of the other counters belong to no client or may have a forged source.
func recordedCounters(mode Mode) []recordedCounter {
	list := []recordedCounter{
		{"drop_fragment", false}, {"drop_ip_options", false}, {"drop_unknown_client", false},
		{"reject_quic", true}, {"drop_dot", true}, {"drop_icmp", false}, {"drop_tcp", true}, {"drop_udp", true}, {"drop_other", false},
	}
	if mode == Sidecar {
		list = append(list, recordedCounter{"drop_docker_resolver", false})
	}
	return list
}

// A family holds the differences between the sets and lines of IPv4 and of IPv6.
type family struct{ digit, word, kind string }

func families() []family { return []family{{"4", "ip", "ipv4_addr"}, {"6", "ip6", "ipv6_addr"}} }

// The names of a recorded counter's sets, by family. The first set counts by client, destination,
// protocol and port. The second counts by client only; it gets the packets for which the first has
// no room.
func flowSet(counter, digit string) string   { return counter + "/flows" + digit }
func clientSet(counter, digit string) string { return counter + "/clients" + digit }

// The limits of these sets. An entry times out if it counts no packet for this long. If both sets
// are full, only the counter counts the packet.
const (
	counterSetSize    = 1024
	counterSetTimeout = "1h"
)

// counterSets declares the sets of the recorded counters.
func counterSets(mode Mode) string {
	var b strings.Builder
	for _, c := range recordedCounters(mode) {
		for _, f := range families() {
			key := f.kind + " . " + f.kind + " . inet_proto"
			if c.ports {
				key += " . inet_service"
			}
			for _, s := range [][2]string{{flowSet(c.name, f.digit), key}, {clientSet(c.name, f.digit), f.kind}} {
				b.WriteString("\n\tset " + s[0] + " { type " + s[1] + "; flags dynamic,timeout; timeout " + counterSetTimeout + "; size " + strconv.Itoa(counterSetSize) + "; counter; }")
			}
		}
	}
	return b.String()
}

// dropLines returns the lines that drop or reject one kind of packet. The counter
// counts each packet. The set of flows counts it too. If that set is full, the set
// of clients counts it. If both sets are full, only the counter counts it. digit is
// "4", "6" or "" for both families.
func dropLines(mode Mode, digit, match, counter, verdict string) (string, error) {
	i := slices.IndexFunc(recordedCounters(mode), func(c recordedCounter) bool { return c.name == counter })
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
		if recordedCounters(mode)[i].ports {
			key += " . th dport"
		}
		b.WriteString(match + "update @" + flowSet(counter, f.digit) + " { " + key + " } counter name " + counter + " " + verdict + "\n\t\t")
		b.WriteString(match + "update @" + clientSet(counter, f.digit) + " { " + f.word + " saddr } counter name " + counter + " " + verdict + "\n\t\t")
	}
	b.WriteString(match + "counter name " + counter + " " + verdict)
	return b.String(), nil
}
