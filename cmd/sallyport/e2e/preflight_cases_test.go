// Preflight cases: each destination of the small internet, what is wrong with
// it, and what "sallyport preflight" must report.

package e2e

// A trial is one permitted destination.
type trial struct {
	host    string // permitted; a name or an address
	leads   string // the addresses of the name
	port    int
	serve   string // the kind of server at all of its addresses; see serve
	filter  string // nft verdict of a firewall upstream for the first address and the port
	dns     string // the resolver's answer instead of addresses
	rule    string // "[[rule]]" unless set: a binding of symantec-endpoint-protection
	status  string
	problem string
	detail  string // part of it
}

// trials is the whole matrix. Every address is used once, so that a packet
// identifies its trial.
var trials = []trial{
	{host: "ok.example", leads: "93.184.60.1 2a00:1450:60::1", port: 443, serve: "tls", status: "ok"},
	{host: "ok.example", leads: "93.184.60.1 2a00:1450:60::1", port: 80, serve: "http", status: "ok"},
	{host: "slow.example", leads: "93.184.60.2", port: 443, serve: "slow", status: "ok"},
	{host: "only6.example", leads: "2a00:1450:60::3", port: 443, serve: "tls", status: "ok"},
	{host: "only4.example", leads: "93.184.60.4", port: 443, serve: "tls", status: "ok"},
	{host: "web.example", leads: "93.184.60.5", port: 8014, serve: "http", status: "ok"},
	{host: "odd.example", leads: "93.184.60.6", port: 5000, serve: "banner", status: "ok"},
	{host: "getonly.example", leads: "93.184.60.7", port: 80, serve: "getonly", status: "ok"},
	{host: "asks.example", leads: "93.184.60.8", port: 443, serve: "clientcert", status: "ok"},

	// Faults that a firewall upstream of the gateway causes.
	{host: "dropped.example", leads: "93.184.61.1", port: 443, serve: "tls", filter: "drop", status: "failed", problem: "tcp_timed_out", detail: "SYN unanswered for 1.5s, twice"},
	{host: "dropped6.example", leads: "2a00:1450:61::1", port: 443, serve: "tls", filter: "drop", status: "failed", problem: "tcp_timed_out"},
	{host: "prohibited.example", leads: "93.184.61.2", port: 443, serve: "tls", filter: "reject with icmp type admin-prohibited",
		status: "failed", problem: "tcp_prohibited", detail: "ICMP error from 93.184.61.2: administratively prohibited"},
	{host: "prohibited6.example", leads: "2a00:1450:61::2", port: 443, serve: "tls", filter: "reject with icmpv6 type admin-prohibited",
		status: "failed", problem: "tcp_prohibited", detail: "administratively prohibited"},
	{host: "rejected.example", leads: "93.184.61.3", port: 80, serve: "http", filter: "reject", status: "failed", problem: "tcp_prohibited", detail: "port unreachable"},
	{host: "refused.example", leads: "93.184.61.4", port: 443, status: "failed", problem: "tcp_refused", detail: "reset"},
	{host: "reset.example", leads: "93.184.61.5", port: 443, serve: "reset", status: "failed", problem: "tls_reset"},
	{host: "hole.example", leads: "93.184.61.6", port: 443, serve: "silent", status: "failed", problem: "tls_timed_out"},
	{host: "closed.example", leads: "93.184.61.7", port: 443, serve: "close", status: "failed", problem: "tls_closed"},
	{host: "blocked.example", leads: "93.184.61.8", port: 443, serve: "http", status: "failed", problem: "not_tls", detail: `HTTP/`},
	{host: "alert.example", leads: "93.184.61.9", port: 443, serve: "alert", status: "failed", problem: "tls_alert", detail: "handshake failure"},
	{host: "half.example", leads: "93.184.61.10 93.184.61.11 2a00:1450:61::10", port: 443, serve: "tls", filter: "drop",
		status: "warning", problem: "partly", detail: "2 of 3 addresses work"},
	{host: "cut.example", leads: "93.184.61.12", port: 80, serve: "reset", status: "failed", problem: "http_reset"},
	{host: "mute.example", leads: "93.184.61.13", port: 80, serve: "silent", status: "failed", problem: "http_timed_out"},
	{host: "portal.example", leads: "93.184.61.14", port: 80, serve: "portal", status: "failed", problem: "http_intercepted", detail: "407"},
	{host: "nohttp.example", leads: "93.184.61.15", port: 80, serve: "banner", status: "failed", problem: "not_http"},
	{host: "nowhere6.example", leads: "2a01:ffff::1", port: 443, status: "failed", problem: "no_route"},
	{host: "mostly.example", leads: "93.184.61.17 2a01:ffff::2", port: 443, serve: "tls", status: "ok"},

	// Certificates.
	{host: "expired.example", leads: "93.184.62.1", port: 443, serve: "expired", status: "failed", problem: "cert_expired", detail: "expired on "},
	{host: "early.example", leads: "93.184.62.2", port: 443, serve: "early", status: "failed", problem: "cert_not_yet_valid"},
	{host: "wrong.example", leads: "93.184.62.3", port: 443, serve: "wrong", status: "failed", problem: "cert_wrong_name", detail: "for elsewhere.example, not for wrong.example"},
	{host: "inspected.example", leads: "93.184.62.4", port: 443, serve: "inspected", status: "failed", problem: "cert_unknown_authority", detail: "Inspection Appliance"},
	{host: "self.example", leads: "93.184.62.5", port: 443, serve: "self", status: "failed", problem: "cert_self_signed"},
	{host: "worst.example", leads: "93.184.62.6", port: 443, serve: "worst", status: "failed", problem: "cert_unknown_authority", detail: "; expired on "},
	{host: "10.20.30.41", port: 8443, serve: "self", rule: "manager", status: "warning", problem: "cert_self_signed"},
	{host: "93.184.62.8", port: 443, serve: "tls", status: "ok"},

	// Names.
	{host: "gone.example", dns: "nxdomain", port: 443, status: "failed", problem: "name_not_found"},
	{host: "empty.example", dns: "nodata", port: 443, status: "failed", problem: "name_no_address"},
	{host: "broken.example", dns: "servfail", port: 443, status: "failed", problem: "resolver_failed", detail: "SERVFAIL"},
	{host: "refuses.example", dns: "refused", port: 443, status: "failed", problem: "resolver_failed", detail: "REFUSED"},
	{host: "unheard.example", dns: "silent", port: 443, status: "failed", problem: "resolver_timed_out"},
	{host: "inside.example", leads: "10.20.30.99", port: 443, serve: "tls", status: "failed", problem: "private_address"},
	{host: "itself.example", leads: outside4, port: 3128, status: "failed", problem: "policy_denied", detail: "own listeners"},
}
