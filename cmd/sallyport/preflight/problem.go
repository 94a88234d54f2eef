// Problem: the closed set of problems, each with its most likely cause and its
// remedy.

package preflight

import (
	"fmt"
	"strings"
	"time"
)

// A Problem is the name of a problem.
type Problem string

// The problems, by step.
const (
	None Problem = ""

	NameNotFound     Problem = "name_not_found"     // the resolvers report that the name does not exist
	NameNoAddress    Problem = "name_no_address"    // the name exists but has no address
	ResolverFailed   Problem = "resolver_failed"    // SERVFAIL, REFUSED, or an answer that is not credible
	ResolverTimedOut Problem = "resolver_timed_out" // no resolver answered
	DNSBogus         Problem = "dns_bogus"          // DNSSEC does not prove the answer, see [dns] dnssec

	PolicyDenied   Problem = "policy_denied"   // the gateway would deny it
	PrivateAddress Problem = "private_address" // the name resolves to an address that the gateway does not dial
	ManyAddresses  Problem = "many_addresses"  // more addresses than are tried

	TCPTimedOut   Problem = "tcp_timed_out"
	TCPRefused    Problem = "tcp_refused"
	TCPProhibited Problem = "tcp_prohibited" // ICMP: prohibited by a filter
	NoRoute       Problem = "no_route"       // this host has no route to the address
	TCPUnreach    Problem = "tcp_unreachable"
	TCPFailed     Problem = "tcp_failed"

	// A parent proxy is in the way, and the fault is its own, or a refusal by it.
	ParentUnreachable Problem = "parent_unreachable"
	ParentTimedOut    Problem = "parent_timeout"
	ParentTLS         Problem = "parent_tls"
	ParentAuth        Problem = "parent_auth"
	ParentRefused     Problem = "parent_refused"
	ParentReply       Problem = "parent_reply"

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
	CertUnchecked Problem = "cert_not_checked" // this host has no certificate authorities

	HTTPTimedOut Problem = "http_timed_out"
	HTTPReset    Problem = "http_reset"
	HTTPClosed   Problem = "http_closed"
	NotHTTP      Problem = "not_http"
	HTTPPortal   Problem = "http_intercepted" // status 407 or 511: a proxy or portal answered, not the server

	Partly    Problem = "partly"     // some addresses work, others do not
	SecondTry Problem = "second_try" // works, but the first try timed out
)

// order is the order of the steps. The report lists findings in this order.
var order = []Problem{
	PolicyDenied, ResolverTimedOut, ResolverFailed, DNSBogus, NameNotFound, NameNoAddress, PrivateAddress, ManyAddresses,
	NoRoute, TCPTimedOut, TCPProhibited, TCPRefused, TCPUnreach, TCPFailed, ParentUnreachable, ParentTimedOut, ParentTLS, ParentAuth, ParentRefused, ParentReply, Partly, SecondTry,
	TLSTimedOut, TLSReset, TLSClosed, TLSAlert, NotTLS,
	CertUnchecked, CertUnknown, CertSelf, CertWrongName, CertExpired, CertEarly, CertInvalid,
	HTTPTimedOut, HTTPReset, HTTPClosed, NotHTTP, HTTPPortal,
}

// A place describes where a step failed. The texts of the cures use it.
type place struct {
	host    string // as in the configuration
	addr    string // the tried address; "": none was tried
	port    uint16
	proto   string
	from    string // the address of this host; "": unknown
	timeout time.Duration
	inside  bool // an internal address
	own     bool // an internal address, or a host without a name
}

// opened returns the request that the operator sends to the owner of the firewall.
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

// finding returns the Finding of a problem. detail is the observation.
func (p place) finding(problem Problem, detail string) Finding {
	f := Finding{Problem: problem, Detail: detail}
	f.Likely, f.Cure = p.words(problem)
	return f
}

// words returns the most likely cause of a problem, and the remedy.
func (p place) words(problem Problem) (likely, cure string) {
	switch problem {
	case NameNotFound, NameNoAddress, ResolverFailed, ResolverTimedOut, DNSBogus, PolicyDenied, PrivateAddress, ManyAddresses:
		return p.nameWords(problem)
	case TCPTimedOut, TCPRefused, TCPProhibited, NoRoute, TCPUnreach, TCPFailed, SecondTry:
		return p.tcpWords(problem)
	case ParentUnreachable, ParentTimedOut, ParentTLS, ParentAuth, ParentRefused, ParentReply:
		return p.parentWords(problem)
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
		return "the resolvers report that the name does not exist: they block or filter it, or serve only internal names",
			"set [dns] upstreams to resolvers that serve public names, or ask the operator of the resolvers to unblock this name"
	case NameNoAddress:
		return "the name exists but has no address: a filter removed the address, or the name is out of service",
			"ask another resolver; if it has no address either, ask the vendor"
	case ResolverFailed:
		return "the resolvers cannot resolve the name: they cannot reach the name servers, DNSSEC fails, or they refuse this host",
			"ask the operator of the resolvers in [dns] upstreams to check this name"
	case ResolverTimedOut:
		return "no resolver answered: if every name fails, [dns] upstreams is wrong or a firewall blocks the resolvers; else only this name fails",
			"if every name fails, correct [dns] upstreams, or ask for UDP and TCP 53 to the resolvers to be opened from this host; else ask the operator of the resolvers"
	case DNSBogus:
		return "the zone of the name is not signed, its signatures are wrong, or the resolver does not validate",
			`if every name has this problem, turn on DNSSEC validation in the resolver; else ask the owner of the zone, or set [dns] dnssec = "log", which records such answers and permits them`
	case PrivateAddress:
		return "the resolver answers with an address that is not public: a split-horizon or blocking resolver, a NAT64, or a service of your own",
			"if that is intended, follow the hint in the detail; if not, use another resolver"
	case ManyAddresses:
		return "a very large pool of servers, or a resolver that invents answers", "compare with the answer of another resolver"
	}
	return "the configuration permits the name, but not this connection", "see sallyport explain for this destination"
}

func (p place) tcpWords(problem Problem) (likely, cure string) {
	switch problem {
	case TCPTimedOut:
		return "a firewall on the way drops the connection attempt", p.opened()
	case TCPRefused:
		if p.inside {
			return "nothing listens on the port of the server", "start the service there, or take the server out of the configuration; if the service does listen, " + p.opened()
		}
		return "nothing listens on the port of the server, or a firewall answers in place of the server", "if other networks are refused too, ask the vendor; else " + p.opened()
	case TCPProhibited:
		return "a firewall on the way rejects the connection attempt and reports that", p.opened()
	case NoRoute:
		return "this host has no route to the address", "give this host a default route for this address family, or let its resolvers return no addresses of this family"
	case SecondTry:
		return "packets get lost on the way, or the server was busy", "run preflight again; if it still happens, check the line, and look for firewalls on the way that limit the rate of connections"
	case TCPUnreach:
		return "a router on the way has no route to the address", "check the routes beyond this host; then " + p.opened()
	}
	return "the connection failed in an unusual way", "see the detail; look at the packet filter and the limits of this host"
}

// parentWords says whose refusal it is. The detail has the parent's name and its answer.
func (p place) parentWords(problem Problem) (likely, cure string) {
	switch problem {
	case ParentUnreachable:
		return "the parent proxy is down, or a firewall between this host and the parent drops or rejects the connection", "check url of the [[parent]]; then ask for the connection from this host to the parent proxy to be opened"
	case ParentTimedOut:
		return "the parent proxy is overloaded, or it waits for a destination that does not answer", "ask the operator of the parent proxy whether " + p.host + " can be reached from there"
	case ParentTLS:
		return "the parent proxy's certificate is not trusted, is for another name or out of date, or the proxy wants a client certificate", "correct ca, cert and key of the [[parent]], or ask the operator of the parent proxy for a correct certificate"
	case ParentAuth:
		return "the parent proxy wants a login, or another one; this is not a refusal by sallyport or by the destination", "set or correct auth_file of the [[parent]]"
	case ParentRefused:
		return "the refusal is the parent proxy's: sallyport permits the destination", fmt.Sprintf("ask the operator of the parent proxy to permit %s, TCP %d, from this host", p.host, p.port)
	}
	return "something other than a proxy of this protocol listens there", "correct protocol and port in url of the [[parent]]"
}

func (p place) tlsWords(problem Problem) (likely, cure string) {
	inspect := "ask for " + p.host + " to be excluded from TLS inspection and from web filters on the way from this host"
	switch problem {
	case TLSReset:
		return "a filter on the way read the server name and cut the connection", inspect
	case TLSClosed:
		return "a filter on the way read the server name and ended the connection, or the server does not serve this name", inspect
	case TLSTimedOut:
		return "a filter drops the ClientHello, or packets of full size do not get through (MTU, VPN)",
			inspect + "; compare: ping -M do -s 1400 " + strings.Split(p.addr, ",")[0]
	case TLSAlert:
		return "the server refuses this server name or the offered TLS versions, or a filter does so in place of the server", inspect
	}
	return "another device answers in place of the server, for example a proxy with an error page", inspect
}

func (p place) httpWords(problem Problem) (likely, cure string) {
	switch problem {
	case HTTPTimedOut:
		return "a filter holds the request back, or the server is overloaded", "try again; if it fails again, ask for " + p.host + " to be excluded from web filters"
	case HTTPReset, HTTPClosed:
		return "a filter on the way read the request and cut the connection", "ask for http://" + p.host + " to be excluded from web filters"
	case HTTPPortal:
		return "a proxy or a portal on the way answers and wants a login", "ask for this host to be permitted without a login"
	}
	return "something other than a web server answers", "ask for " + p.host + " to be excluded from filters on the way"
}

func (p place) certWords(problem Problem) (likely, cure string) {
	if p.own && (problem == CertSelf || problem == CertUnknown || problem == CertWrongName || problem == CertExpired) {
		return "usual for your own server, or for a server without a name: the product trusts its certificate in another way", "nothing to do if you recognize this certificate"
	}
	switch problem {
	case CertUnknown, CertSelf:
		return "TLS inspection on the way shows its own certificate, or this host lacks the authority",
			"ask for " + p.host + " to be left out of TLS inspection; products that check certificates fail under TLS inspection"
	case CertWrongName:
		return "another server answers: TLS inspection, a portal, or a wrong address in DNS", "look up the name from another network, and compare the address and the certificate"
	case CertExpired:
		return "the server's certificate has expired, or this host's clock is ahead", "check the clock (timedatectl); then ask the vendor"
	case CertEarly:
		return "this host's clock is behind", "set the clock (timedatectl)"
	case CertInvalid:
		return "the certificate breaks the rules for server certificates", "ask the operator of the server"
	case CertUnchecked:
		return "this host has no certificate authorities", "install ca-certificates, or set SSL_CERT_FILE to a bundle"
	}
	return "", ""
}
