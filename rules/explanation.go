// Explanations: the texts of every reason. The help topic "reasons", docs/reasons.md,
// the hints and the refusal replies print them.

package rules

// An Explanation is the text for people about a reason: what it means, what usually
// causes it, and what to do. Meaning is a sentence; the others are phrases.
type Explanation struct{ Meaning, Cause, Cure string }

type reasonText struct {
	wire string
	Explanation
}

// reasonTexts has one entry for each constant.
var reasonTexts = [reasonCount]reasonText{
	ReasonNone: {},
	MalformedRequest: {"malformed_request", Explanation{
		Meaning: "The request head, ClientHello, SOCKS request or DNS message breaks the grammar of its protocol.",
		Cause:   "a faulty client, another protocol on this port, or an attack",
		Cure:    "look at the client; `detail` says what was wrong",
	}},
	MalformedName: {"malformed_name", Explanation{
		Meaning: "The name is not a host name: a forbidden byte, an empty or over-long label, a number at the end, or a bad xn-- label.",
		Cause:   "a misspelled name in a client's settings, or an attack",
		Cure:    "look at the client; `host_raw` has the text",
	}},
	NotTLS: {"not_tls", Explanation{
		Meaning: "Port 443 carries TLS only, and the first bytes were something else.",
		Cause:   "another protocol on port 443, or plain HTTP sent to it",
		Cure:    "let the client speak TLS; for a rule with `any = true`, sallyport does not check the content",
	}},
	NotHTTP: {"not_http", Explanation{
		Meaning: "Port 80 carries HTTP/1 only, and the first bytes were something else.",
		Cause:   "another protocol on port 80, or TLS sent to it",
		Cure:    "let the client speak HTTP/1; for a rule with `any = true`, sallyport does not check the content",
	}},
	SniffTimeout: {"sniff_timeout", Explanation{
		Meaning: "The client did not send a whole ClientHello or request head before the deadline.",
		Cause:   "a slow or lossy line, a client that opens connections in advance, or a protocol in which the server speaks first",
		Cure:    "look at the client and at its network connection; the deadline is `[limits] sniff`",
	}},
	SniffTooLong: {"sniff_too_long", Explanation{
		Meaning: "The ClientHello or request head is longer than the limit.",
		Cause:   "a very long cookie or header field, or an attack",
		Cure:    "look at the client",
	}},
	SNIMissing: {"sni_missing", Explanation{
		Meaning: "The TLS ClientHello names no server, so nothing ties the connection to the permitted name.",
		Cause:   "an old TLS library, or a client that connects to an address",
		Cure:    "let the client send the server name; if the server has no name, add a rule for the address",
	}},
	ECHPresent: {"ech_present", Explanation{
		Meaning: "The ClientHello carries Encrypted ClientHello and the configuration says ech = \"deny\".",
		Cause:   "a current browser or TLS library",
		Cure:    "turn ECH off in the client, or set `ech = \"outer\"`",
	}},
	ProxyProtocol: {"proxy_protocol", Explanation{
		Meaning: "A connection from a balancer in [listen] proxy_protocol_from did not name its client in a header of the PROXY protocol.",
		Cause:   "a balancer without `send-proxy`, a client with an address in this list, a header that breaks its grammar, or a client that reached the balancer by a unix socket",
		Cure:    "let the balancer send the header (HAProxy: `send-proxy-v2`); list only addresses of balancers; `detail` says what was wrong",
	}},
	QUIC: {"quic", Explanation{
		Meaning: "QUIC is refused so that clients fall back to TCP.",
		Cause:   "a browser or library that tries HTTP/3",
		Cure:    "nothing to do: clients fall back by themselves",
	}},
	UnknownClient: {"unknown_client", Explanation{
		Meaning: "No [[client]] of the configuration covers the source address.",
		Cause:   "a new host, a changed address, or address translation in front of sallyport",
		Cure:    "if the host is a client, add the address to its `sources`",
	}},
	Unauthenticated: {"unauthenticated", Explanation{
		Meaning: "The source address belongs to a [[client]] that demands a certificate or a login, and the client did not prove it, or its proof was refused.",
		Cause:   "a client without a certificate or a password, a wrong password, a certificate that is expired, revoked or of another authority, or a front end on which nothing can be proven (DNS, redirected connections, UDP)",
		Cure:    "give the client its certificate or password (docs/identity.md); `detail` says what was wrong",
	}},
	Self: {"self", Explanation{
		Meaning: "The destination is one of sallyport's own listeners, a parent proxy or a sink; no rule can permit that.",
		Cause:   "a proxy loop: the client names sallyport as the destination, or a name resolves to sallyport; or the client tries to use the parent proxy or the sink itself",
		Cure:    "nothing to permit; correct the client's settings",
	}},
	SNIMismatch: {"sni_mismatch", Explanation{
		Meaning: "The server name in the ClientHello is not the name that was permitted.",
		Cause:   "a connection reused for another name, or a permitted name used as a cover",
		Cure:    "look at the client: a name may be forged",
	}},
	HostMismatch: {"host_mismatch", Explanation{
		Meaning: "The Host of the HTTP request is not the authority that was permitted.",
		Cause:   "a connection reused for another name, or a permitted name used as a cover",
		Cure:    "look at the client: a name may be forged",
	}},
	FeatureOff: {"feature_off", Explanation{
		Meaning: "A rule documents the destination for a feature that is off for this client.",
		Cause:   "the product uses a feature that the configuration does not list",
		Cure:    "add the feature that `hint` names",
	}},
	VersionExcluded: {"version_excluded", Explanation{
		Meaning: "A rule documents the destination for other versions of the product.",
		Cause:   "the product was upgraded, or the configuration names another version",
		Cure:    "correct the `version` of the client",
	}},
	Expired: {"expired", Explanation{
		Meaning: "The rule that permitted the destination has expired.",
		Cause:   "the `expires` date of a [[rule]] has passed",
		Cure:    "renew the rule or delete it",
	}},
	ProtocolNotListed: {"protocol_not_listed", Explanation{
		Meaning: "The destination is documented, but not with this transport protocol.",
		Cause:   "UDP where the document lists TCP, or the reverse",
		Cure:    "if the site needs the destination, add a `[[rule]]`",
	}},
	PortNotListed: {"port_not_listed", Explanation{
		Meaning: "The destination is documented, but not on this port.",
		Cause:   "http:// where the document lists port 443, or a port that the site changed",
		Cure:    "correct the port in the client's settings, or the `ports` of the `[[client]]`; else add a `[[rule]]` if the site needs the destination",
	}},
	RoleNotListed: {"role_not_listed", Explanation{
		Meaning: "The destination is documented, but for another role than this client's.",
		Cause:   "the client has the wrong `role`, or two products share one address",
		Cure:    "correct the `role` of the client; else add a `[[rule]]` if the site needs the destination",
	}},
	TypeNotAllowed: {"type_not_allowed", Explanation{
		Meaning: "The name is permitted, but only A, AAAA, HTTPS, SVCB, DS and DNSKEY records are looked up.",
		Cause:   "a mail or service-discovery look-up, or data hidden in DNS",
		Cure:    "nothing to do: other types could carry data out",
	}},
	IPLiteral: {"ip_literal", Explanation{
		Meaning: "The destination is a bare address that no rule names.",
		Cause:   "the client resolves names by itself and asks for the address",
		Cure:    "let the proxy resolve names (`socks5h`); if the destination has no name, add a `[[rule]]` for the address",
	}},
	NotListed: {"not_listed", Explanation{
		Meaning: "No rule of this client names the destination.",
		Cause:   "telemetry, an update of the operating system, a browser, or an address that the vendor did not document",
		Cure:    "if the site needs the destination, add a `[[rule]]`",
	}},
	PrivateAddress: {"private_address", Explanation{
		Meaning: "The permitted name resolves only to private, loopback, link-local or otherwise special addresses.",
		Cause:   "an internal name, NAT64, or a resolver that gives false answers",
		Cure:    "for an internal name: `[[dns.zone]]` or `[resolve] private` (docs/dns.md); for a public name: correct the resolver",
	}},
	DestinationMismatch: {"destination_mismatch", Explanation{
		Meaning: "The client chose an address that the permitted name does not have (strict_destination), or the synthetic address of another name.",
		Cause:   "the client uses another resolver or a hosts file, or a permitted name as a cover",
		Cure:    "let the client resolve names with sallyport",
	}},
	DNSBogus: {"dns_bogus", Explanation{
		Meaning: "DNSSEC does not prove the answer for the permitted name ([dns] dnssec).",
		Cause:   "the zone of the name is not signed, its signatures are wrong or expired, or the resolver does not validate",
		Cure:    "`detail` says which; correct the resolver, or tell the owner of the zone; with `dnssec = \"log\"` such answers are recorded and not denied",
	}},
	Limit: {"limit", Explanation{
		Meaning: "A limit of connections, rate or memory is reached.",
		Cause:   "a client with very many connections or queries, or limits that are too low for the site",
		Cure:    "`detail` names the limit; raise it in `[limits]`, or look at the client",
	}},
	JournalUnavailable: {"journal_unavailable", Explanation{
		Meaning: "The journal cannot be written and journal.required is true.",
		Cause:   "a full or broken disk",
		Cure:    "make room on the disk",
	}},
	Draining: {"draining", Explanation{
		Meaning: "sallyport is shutting down.",
		Cause:   "a stop or a restart",
		Cure:    "nothing to do: the client tries again",
	}},
}
