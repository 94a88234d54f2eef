// Hints about identity: what the clients at an address demand, and what was proven instead.

package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostDemands is how many different demands a hint names.
const mostDemands = 3

// A demand is what clients at one address want to see.
type demand struct {
	clients []string
	names   []string // of certificates; nil: no certificate is missing
	login   bool     // a login is missing
}

// hintUnproven names the clients that demand more than the attempt proved, and what they demand. The
// attempt's detail says why a proof was refused.
func hintUnproven(a *Attempt, d *Decision) string {
	demands := d.policy.demandsOf(a)
	if len(demands) == 0 {
		return withDetail(Unauthenticated, a)
	}
	certificate, login := false, false
	var texts []string
	for _, m := range demands {
		certificate, login = certificate || m.names != nil, login || m.login
		texts = append(texts, m.String())
	}
	if more := len(texts) - mostDemands; more > 0 {
		texts = append(texts[:mostDemands], fmt.Sprintf("%d other demands", more))
	}
	text := strings.Join(texts, ", or ")
	switch {
	case a.Detail != "":
		return text + ": " + a.Detail
	case !a.Via.proves():
		return text + fmt.Sprintf(", and a client proves nothing by %s: send its traffic through the proxy, or list its address in a [[client]] without certificate and users_file", a.Via)
	}
	var shown []string
	if i := a.Identity; i != nil {
		if certificate && len(i.Certificate) > 0 {
			shown = append(shown, "the certificate has "+orList(i.Certificate, "and"))
		}
		if login && i.User != "" {
			shown = append(shown, "user "+i.User+" has logged in, and is not in the users_file")
		}
	}
	if len(shown) > 0 {
		return strings.Join(shown, "; ") + "; " + text
	}
	switch {
	case certificate && login:
		return text + ": give the client program the certificate, for [listen] https, and the user and the password"
	case certificate:
		return text + ": give the client program the certificate; only [listen] https takes it"
	}
	return text + ": enter a user of its users_file and the password in the proxy settings of the client program"
}

// proves reports whether a client can show a certificate or log in at a front end.
func (v Via) proves() bool { return v == ViaHTTP || v == ViaConnect || v == ViaSOCKS5 }

// demandsOf returns what the clients at an address demand and the attempt lacks. Clients with the
// same demand are one.
func (p *Policy) demandsOf(a *Attempt) (out []demand) {
	if p == nil {
		return nil
	}
	for _, s := range p.demanding {
		c := s.client
		if !c.at(a.Client.Addr()) || a.Fault == ReasonNone && c.proven(a.Identity) {
			continue
		}
		m := demand{clients: []string{strconv.Quote(c.Name)}}
		if !c.certified(a.Identity) {
			m.names = c.Certificates
		}
		m.login = c.Users != nil && (a.Identity == nil || !c.Users.Names[a.Identity.User])
		if m.names == nil && !m.login {
			continue
		}
		if i := slices.IndexFunc(out, func(o demand) bool { return o.login == m.login && slices.Equal(o.names, m.names) }); i >= 0 {
			out[i].clients = append(out[i].clients, m.clients[0])
			continue
		}
		out = append(out, m)
	}
	return out
}

// String returns the demand as a sentence.
func (m demand) String() string {
	text := "client " + m.clients[0] + " demands "
	if len(m.clients) > 1 {
		text = "clients " + orList(m.clients, "and") + " demand "
	}
	if m.names == nil {
		return text + "a login"
	}
	text += "a certificate with " + orList(m.names, "or")
	if m.login {
		text += ", and a login"
	}
	return text
}

// mostInList is how many texts a list in a hint has.
const mostInList = 4

// orList joins texts by commas, and the last two by a word.
func orList(list []string, word string) string {
	if more := len(list) - mostInList; more > 0 {
		list = append(slices.Clone(list[:mostInList]), fmt.Sprintf("%d others", more))
	}
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}
	return strings.Join(list[:last], ", ") + " " + word + " " + list[last]
}
