// Numbers: the numbers and ranges in a ports cell.

package draft

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// noPorts reports whether one of two columns of ports says that it has none.
func noPorts(cell string) bool {
	switch s := strings.Trim(clean(cell), "-–—−/ "); strings.ToLower(s) {
	case "", "none", "n/a", "no", "keine", "无":
		return true
	}
	return false
}

// merge adds the ports of a second column. If one of the cells has doubts, the row has no
// ports.
func (c *portsCell) merge(o portsCell) {
	c.likelyTCP = slices.Concat(orElse(c.tcp, c.likelyTCP), orElse(o.tcp, o.likelyTCP))
	c.likelyUDP = slices.Concat(orElse(c.udp, c.likelyUDP), orElse(o.udp, o.likelyUDP))
	c.tcp, c.udp = slices.Concat(c.tcp, o.tcp), slices.Concat(c.udp, o.udp)
	c.doubts, c.remarks = slices.Concat(c.doubts, o.doubts), slices.Concat(c.remarks, o.remarks)
	if len(c.doubts) > 0 {
		c.tcp, c.udp = nil, nil
	}
}

// loneDigit returns a number of one digit that stands beside another number or after the
// name of a service. Nearly no product uses the ports 1 to 9: such a number is more often
// a footnote mark ("443 1") or the thousands of a port ("8,443").
func loneDigit(text string) string {
	digit, others := "", 0
	for _, t := range portToken.FindAllString(text, -1) {
		switch low := strings.ToLower(t); {
		case isNumber(t) && len(t) == 1 && digit == "":
			digit = t
		case isNumber(t) || low == "http" || low == "https":
			others++
		}
	}
	if others == 0 {
		return ""
	}
	return digit
}

// usualProtocols are the protocols of well-known ports that are not of TCP alone (IANA's
// registry of service names): DNS, TFTP, NTP, SNMP, IKE, RADIUS. Every other port that a
// cell gives without a protocol is probably of TCP.
var usualProtocols = map[string]protocols{
	"53": {tcp: true, udp: true}, "69": {udp: true}, "123": {udp: true}, "161": {udp: true}, "162": {udp: true},
	"500": {udp: true}, "1812": {udp: true}, "1813": {udp: true}, "4500": {udp: true},
}

// behindNumber reports whether the protocol at i belongs to the number in front of it: "53/udp",
// or "53 UDP" at the end of its part.
func behindNumber(tokens []string, i int) bool {
	switch {
	case i > 1 && tokens[i-1] == "/" && isNumber(tokens[i-2]):
		return true
	case i > 0 && isNumber(tokens[i-1]):
		return i+1 == len(tokens) || isJoint(tokens[i+1])
	}
	return false
}

// usualOf returns the usual protocols of a port: TCP, if usualProtocols does not have the port.
func usualOf(ports string) protocols {
	if usual, ok := usualProtocols[ports]; ok {
		return usual
	}
	return protocols{tcp: true}
}

// likelyPorts returns the ports that a person probably means by a cell that is not
// understood. A number is of the protocol in front of it, or else of given, or else of
// its usual protocol. Numbers of one digit are left out.
func likelyPorts(text string, given protocols) (tcp, udp []string) {
	of := given
	tokens := portToken.FindAllString(text, -1)
	for i, t := range tokens {
		low := strings.ToLower(t)
		switch {
		case isProtocol(low) && (i == 0 || tokens[i-1] != "(" && !behindNumber(tokens, i)):
			of = protocols{tcp: low == "tcp", udp: low == "udp"}
		case isNumber(t) && len(t) > 1:
			ports, err := portRange(t)
			if err != nil {
				continue
			}
			behind := of
			if rest := tokens[i+1:]; len(rest) > 0 && (rest[0] == "(" || rest[0] == "/") {
				if p, n := protocolsIn(rest[1:], rest[0] == "("); n > 0 {
					behind = p
				}
			} else if len(rest) > 0 && isProtocol(rest[0]) && behindNumber(tokens, i+1) {
				behind = protocols{tcp: strings.EqualFold(rest[0], "tcp"), udp: strings.EqualFold(rest[0], "udp")} // "53 UDP"
			}
			if behind.none() {
				behind = usualOf(ports)
			}
			if behind.tcp {
				tcp = appendNew(tcp, ports)
			}
			if behind.udp {
				udp = appendNew(udp, ports)
			}
		}
	}
	return tcp, udp
}

// portRange writes a port or a range as in a profile.
func portRange(s string) (string, error) {
	first, last, ranged := s, "", false
	if at := rangeMark.FindStringIndex(s); at != nil {
		first, last, ranged = s[:at[0]], s[at[1]:], true
	}
	a, err := rules.ParsePort(first)
	if err != nil {
		return "", fmt.Errorf("%q is not a port: 1 to 65535", first)
	}
	if !ranged {
		return fmt.Sprint(a), nil
	}
	b, err := rules.ParsePort(last)
	if err != nil || b <= a {
		return "", fmt.Errorf("%q is not a range of ports", s)
	}
	return fmt.Sprintf("%d-%d", a, b), nil
}

// appendNew appends s if the list does not have it yet.
func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
