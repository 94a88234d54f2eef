// Problem: the closed set of what can be wrong with a destination, each with
// what it most likely is and what to do.

package preflight

import (
	"fmt"
	"strings"
	"time"
)

// A Problem is what is wrong, in one word.
type Problem string

// The problems, by step.
const (
	None Problem = ""

	NameNotFound     Problem = "name_not_found"     // the resolvers say that there is no such name
	NameNoAddress    Problem = "name_no_address"    // there is, but it has no address
	ResolverFailed   Problem = "resolver_failed"    // SERVFAIL, REFUSED, an answer that cannot be believed
	ResolverTimedOut Problem = "resolver_timed_out" // no resolver answered

	PolicyDenied   Problem = "policy_denied"   // the gateway would deny it
	PrivateAddress Problem = "private_address" // the name leads to an address that the gateway does not go to
	ManyAddresses  Problem = "many_addresses"  // more than are tried

	TCPTimedOut   Problem = "tcp_timed_out"
	TCPRefused    Problem = "tcp_refused"
	TCPProhibited Problem = "tcp_prohibited" // ICMP: a filter says no
	NoRoute       Problem = "no_route"       // this host has no way there
	TCPUnreach    Problem = "tcp_unreachable"
	TCPFailed     Problem = "tcp_failed"

	TLSReset    Problem = "tls_reset" // after our ClientHello
	TLSClosed   Problem = "tls_closed"
	TLSTimedOut Problem = "tls_timed_out"
	TLSAlert    Problem = "tls_alert"
	NotTLS      Problem = "not_tls"

	CertUnknown   Problem = "cert_unknown_authority"
	CertSelf      Problem = "cert_self_signed"
	CertWrongName Problem = "cert_wrong_name"
	CertExpired   Problem = "cert_expired"
	CertEarly     Problem = "cert_not_yet_valid"
	CertInvalid   Problem = "cert_invalid"
	CertUnchecked Problem = "cert_not_checked" // this host knows no authority at all

	HTTPTimedOut Problem = "http_timed_out"
	HTTPReset    Problem = "http_reset"
	HTTPClosed   Problem = "http_closed"
	NotHTTP      Problem = "not_http"
	HTTPPortal   Problem = "http_intercepted" // 407, 511: not the server's own answer

	Partly    Problem = "partly"     // some addresses work, others do not
	SecondTry Problem = "second_try" // works, after a try that timed out
)

// order is the order of the steps, in which findings are told.
var order = []Problem{
	PolicyDenied, ResolverTimedOut, ResolverFailed, NameNotFound, NameNoAddress, PrivateAddress, ManyAddresses,
	NoRoute, TCPTimedOut, TCPProhibited, TCPRefused, TCPUnreach, TCPFailed, Partly, SecondTry,
	TLSTimedOut, TLSReset, TLSClosed, TLSAlert, NotTLS,
	CertUnchecked, CertUnknown, CertSelf, CertWrongName, CertExpired, CertEarly, CertInvalid,
	HTTPTimedOut, HTTPReset, HTTPClosed, NotHTTP, HTTPPortal,
}

// A place is where something failed, for the words of the cure.
type place struct {
	host    string // as in the configuration
	addr    string // that was tried; "": none was
	port    uint16
	proto   string
	from    string // this host's address; "": unknown
	timeout time.Duration
	inside  bool // an internal address
	own     bool // that, or a host without a name
}

// opened is what to ask of whoever runs the firewall.
func (p place) opened() string {
	to := p.addr
	if p.host != p.addr {
		to += " (" + p.host + ")"
	}
	s := fmt.Sprintf("ask for TCP %d to %s to be opened", p.port, to)
	if p.from != "" {
		s += " from " + p.from
	}
	return s
}

// finding puts a problem into words. detail is what was seen.
func (p place) finding(problem Problem, detail string) Finding {
	f := Finding{Problem: problem, Detail: detail}
	f.Likely, f.Cure = p.words(problem)
	return f
}

// words returns what a problem most likely is, and what to do.
func (p place) words(problem Problem) (likely, cure string) {
	switch problem {
	case NameNotFound, NameNoAddress, ResolverFailed, ResolverTimedOut, PolicyDenied, PrivateAddress, ManyAddresses:
		return p.nameWords(problem)
	case TCPTimedOut, TCPRefused, TCPProhibited, NoRoute, TCPUnreach, TCPFailed, SecondTry:
		return p.tcpWords(problem)
	case TLSReset, TLSClosed, TLSTimedOut, TLSAlert, NotTLS:
		return p.tlsWords(problem)
	case HTTPTimedOut, HTTPReset, HTTPClosed, NotHTTP, HTTPPortal:
		return p.httpWords(problem)
	}
	return p.certWords(problem)
}

func (p place) nameWords(problem Problem) (likely, cure string) {
	switch problem {
	case NameNotFound:
		return "the resolvers do not know the name: they block or filter it, or serve only internal names",
			"let [dns] upstreams name resolvers that know public names, or have this name unblocked there"
	case NameNoAddress:
		return "the name exists and has no address: a filter took it out, or it is out of service",
			"ask another resolver; if it says the same, ask the vendor"
	case ResolverFailed:
		return "the resolvers themselves cannot resolve it: their own way out, or DNSSEC, is broken, or they refuse this host",
			"ask whoever runs the resolvers of [dns] upstreams to look at this name"
	case ResolverTimedOut:
		return "the resolvers are silent: about every name, if [dns] upstreams is wrong or a firewall is between; else about this one",
			"if no name resolves, correct [dns] upstreams or ask for UDP and TCP 53 to them to be opened from this host; else ask whoever runs them"
	case PrivateAddress:
		return "the resolver answers with an address that is not public: a split-horizon or blocking resolver, a NAT64, or a service of your own",
			"if it is meant, do as its line says; if not, use a resolver that tells the truth"
	case ManyAddresses:
		return "a very large pool of servers, or a resolver that makes its answers up", "compare with what another resolver says of the name"
	}
	return "the configuration permits the name, but not what was about to be done", "see sallyport explain for this destination"
}

func (p place) tcpWords(problem Problem) (likely, cure string) {
	switch problem {
	case TCPTimedOut:
		return "a firewall on the way drops it", p.opened()
	case TCPRefused:
		if p.inside {
			return "the server is there and nothing listens on the port", "start the service there, or take the server out of the configuration; if it does listen, " + p.opened()
		}
		return "the server is there and nothing listens on the port, or a firewall answers in its name", "if it is refused for others too, ask the vendor; else " + p.opened()
	case TCPProhibited:
		return "a firewall on the way rejects it, and says so", p.opened()
	case NoRoute:
		return "this host has no route there", "give this host a default route for this family, or none of its addresses in DNS"
	case SecondTry:
		return "packets get lost on the way, or the server was busy", "run it again; if it stays so, have the line looked at, and firewalls on the way that limit rates"
	case TCPUnreach:
		return "a router on the way knows no way there", "look at the routes behind this host; then " + p.opened()
	}
	return "the connection failed in an unusual way", "see the detail; look at the packet filter and the limits of this host"
}

func (p place) tlsWords(problem Problem) (likely, cure string) {
	inspect := "ask for " + p.host + " to be left alone by TLS inspection and web filters, on the way from this host"
	switch problem {
	case TLSReset:
		return "a filter on the way read the server name and cut the connection", inspect
	case TLSClosed:
		return "a filter on the way read the server name and ended the connection, or the server does not serve this name", inspect
	case TLSTimedOut:
		return "a filter drops the ClientHello, or packets of full size do not get through (MTU, VPN)",
			inspect + "; compare: ping -M do -s 1400 " + strings.Split(p.addr, ",")[0]
	case TLSAlert:
		return "the server, or a filter in its name, refuses this server name or what we offer", inspect
	}
	return "something else answers in the server's name, such as a proxy's error page", inspect
}

func (p place) httpWords(problem Problem) (likely, cure string) {
	switch problem {
	case HTTPTimedOut:
		return "a filter waits for something, or the server is overloaded", "try again; then ask for " + p.host + " to be left alone by web filters"
	case HTTPReset, HTTPClosed:
		return "a filter on the way read the request and cut the connection", "ask for http://" + p.host + " to be left alone by web filters"
	case HTTPPortal:
		return "a proxy or a portal on the way answers and wants a login", "ask for this host to be let through without one"
	}
	return "something other than a web server answers", "ask for " + p.host + " to be left alone by filters on the way"
}

func (p place) certWords(problem Problem) (likely, cure string) {
	if p.own && (problem == CertSelf || problem == CertUnknown || problem == CertWrongName || problem == CertExpired) {
		return "usual for a server of your own, or one that is known by its address: its product trusts it by other means", "nothing, if you know this certificate"
	}
	switch problem {
	case CertUnknown, CertSelf:
		return "somebody inspects TLS on the way and shows a certificate of their own; or this host lacks the authority",
			"ask for " + p.host + " to be left out of TLS inspection; products that check certificates fail behind it"
	case CertWrongName:
		return "another server answers: TLS inspection, a portal, or a wrong address in DNS", "compare the address and the certificate with what another network sees"
	case CertExpired:
		return "the server's certificate ran out, or this host's clock is ahead", "check the clock (timedatectl); then ask the vendor"
	case CertEarly:
		return "this host's clock is behind", "set the clock (timedatectl)"
	case CertInvalid:
		return "the certificate breaks the rules for servers", "ask whoever runs the server"
	case CertUnchecked:
		return "this host has no certificate authorities", "install ca-certificates, or set SSL_CERT_FILE to a bundle"
	}
	return "", ""
}
