// Explain's rows: the documented rows themselves, and near misses made from each of them by one rule at a time.

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestExplainAllowsEveryDocumentedRow(t *testing.T) {
	all := readNeeds(t)
	var questions []asked
	for _, n := range all {
		s := n.site(all)
		switch {
		case n.local: // has a test of its own
		case n.proto == "all":
			for _, where := range [][2]string{{"tcp", "22"}, {"tcp", "443"}, {"tcp", "65535"}, {"udp", "9"}, {"udp", "514"}} {
				questions = append(questions, asked{site: s, line: n.line(where[0], where[1])})
			}
		default:
			questions = append(questions, asked{site: s, line: n.line(n.proto, n.port)})
			if n.isName() {
				questions = append(questions, asked{site: s, line: n.proto + " " + strings.ToUpper(n.host) + ". " + n.port})
			}
		}
	}
	ask(t, questions)
}

// The documents list some ports as used on one host only. Such a port permits
// nothing across the gateway. Its party is a destination for other parties only.
func TestExplainDeniesWhatNeverCrossesTheGateway(t *testing.T) {
	all := readNeeds(t)
	var questions []asked
	for _, n := range all {
		if n.local {
			questions = append(questions, asked{site: n.site(all), line: n.line(n.proto, n.port), reason: "role_not_listed"})
		}
	}
	if len(questions) < 4 {
		t.Errorf("%d local rows, want at least those of 2968, 8447, 8765 and 1100", len(questions))
	}
	ask(t, questions)
}

// An exact name matches itself only: no name below it, above it, beside it or made to look like it.
// A wildcard does not match its own domain. If the denied name is under the same
// parent domain, the denial names the documented rule.
func TestExplainDeniesNamesBesideTheDocumented(t *testing.T) {
	all := readNeeds(t)
	var questions []asked
	for _, n := range all {
		if !n.isName() {
			continue
		}
		if domain, ok := strings.CutPrefix(n.to, "*."); ok {
			questions = append(questions, asked{site: n.site(all), line: n.proto + " " + domain + " " + n.port, reason: "not_listed", near: true})
			continue
		}
		_, parent, _ := strings.Cut(n.to, ".")
		near := []string{"a." + n.to, "a.b." + n.to, "x" + n.to, "x-" + n.to, parent}
		for _, name := range slices.Concat(near, []string{n.to + ".evil.example", n.to + "x"}) {
			questions = append(questions, asked{
				site: n.site(all), line: n.proto + " " + name + " " + n.port,
				reason: "not_listed", near: slices.Contains(near, name),
			})
		}
	}
	ask(t, questions)
}

func TestExplainDeniesOtherPorts(t *testing.T) {
	all := readNeeds(t)
	var questions []asked
	for _, n := range all {
		if n.local || n.proto == "all" {
			continue
		}
		for _, port := range []string{"1", "444", "8080", "65535"} { // in no document
			questions = append(questions, asked{site: n.site(all), line: n.line(n.proto, port), reason: "port_not_listed", near: true})
		}
	}
	ask(t, questions)
}

// A row permits its port over its own protocol only: TCP but not UDP, or UDP but not TCP.
func TestExplainDeniesTheOtherProtocol(t *testing.T) {
	all := readNeeds(t)
	other := map[string]string{"tcp": "udp", "udp": "tcp"}
	var questions []asked
	for _, n := range all {
		if n.local || n.proto == "all" || documents(all, n.from, n, other[n.proto], n.port) {
			continue
		}
		questions = append(questions, asked{site: n.site(all), line: n.line(other[n.proto], n.port), reason: "protocol_not_listed", near: true})
	}
	ask(t, questions)
}

// If a row needs features, it is denied if any one of them is off.
func TestExplainDeniesWhereAFeatureIsOff(t *testing.T) {
	all := readNeeds(t)
	var questions []asked
	for _, n := range all {
		for _, off := range n.when {
			s := n.site(all)
			s.features = strings.Join(slices.DeleteFunc(strings.Split(s.features, ","), func(f string) bool { return f == off }), ",")
			questions = append(questions, asked{site: s, line: n.line(n.proto, n.port), reason: "feature_off", near: true, hint: off})
		}
	}
	if len(questions) < 11 { // endpoint-secure-onprem alone has 11: auth 1, auth.sea 2, clt 2, clt.sea 4, port 22345 1, port 4460 1
		t.Errorf("%d questions, the tables have at least 11 rows with when=", len(questions))
	}
	ask(t, questions)
}

// Each row of one party is asked for every other party. If the other party has a
// row of its own for the destination, the denial is about the port or the protocol.
// Otherwise it is about the party, and the hint names the first party with this
// very port.
func TestExplainDeniesOtherRoles(t *testing.T) {
	all := readNeeds(t)
	roles := map[string][]string{}
	for _, n := range all {
		if !slices.Contains(roles[n.profile], n.from) {
			roles[n.profile] = append(roles[n.profile], n.from)
		}
	}
	var questions []asked
	for _, n := range all {
		for _, role := range roles[n.profile] {
			if n.local || role == n.from || documents(all, role, n, n.proto, n.port) {
				continue
			}
			q := asked{site: n.site(all), line: n.line(n.proto, n.port), near: true}
			q.site.role = role
			switch {
			case documents(all, role, n, n.proto, ""):
				q.reason = "port_not_listed"
			case documents(all, role, n, "", ""):
				q.reason = "protocol_not_listed"
			default:
				first := slices.IndexFunc(all, func(o need) bool { return o.profile == n.profile && documents([]need{o}, o.from, n, n.proto, n.port) })
				q.reason, q.hint = "role_not_listed", "documented for role "+all[first].from
			}
			questions = append(questions, q)
		}
	}
	ask(t, questions)
}
