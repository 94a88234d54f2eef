// Fields: the fields of a record, for the manual. A test compares this list with
// docs/journal.md and with the output of Append.

package journal

// A Field describes one field of a record.
type Field struct {
	Name    string
	Schema  int    // the schema that added it
	Type    string // number, text, list (of texts), or true (present or absent)
	Meaning string // in Markdown, on one line
	Example string // as JSON
}

// Fields lists the fields of a record in the order in which they are written.
func Fields() []Field {
	return []Field{
		{"schema", 1, "number", "version of the fields", `2`},
		{"time", 1, "text", "UTC, with microseconds; if the record counts several attempts: the time of the last one", `"2026-11-22T12:00:00.000000Z"`},
		{"seq", 1, "number", "grows strictly within one `boot`; the record's ID is `boot`-`seq`", `42`},
		{"boot", 1, "text", "identifies one run of the process", `"vhk3pzqd7a"`},
		{"event", 1, "text", "`decision`, `close`, `reload`, `start`, `stop`", `"decision"`},
		{"own", 2, "list", "of `start`: the addresses of the listeners (`address:port`) and of the gateway's host, at most 4 KiB of them; `replay` and `suggest` on another host deny these addresses as `self`", `["127.0.0.1:3128","10.20.30.1"]`},
		{"verdict", 1, "text", "`deny`, `would_deny` (mode `audit` let the attempt through), `allow`", `"deny"`},
		{"mode", 1, "text", "mode of the client: `enforce`, `audit`", `"enforce"`},
		{"via", 1, "text", "front end: `dns`, `http`, `connect`, `socks5`, `transparent`, `udp`", `"connect"`},
		{"client", 1, "text", "source address", `"10.20.30.40"`},
		{"client_port", 2, "number", "source port", `50412`},
		{"source_proven", 2, "true", "a handshake proves the source address: TCP, or a DNS cookie (RFC 7873). Absent: a datagram, whose source address can be forged", `true`},
		{"client_name", 1, "text", "name of the client in the configuration; absent: no `[[client]]` covers the source address", `"es-manager"`},
		{"identity", 2, "text", "what the client has proven beside its address: `user:` and the name of the user, the name in its certificate (`DNS:…`, `CN=…`, a URI), or both with a space between them; never the proof itself", `"user:alice"`},
		{"profile", 1, "text", "profile of the rule; if there is no rule: of the client", `"endpoint-secure-onprem"`},
		{"host", 1, "text", "the destination: its canonical name; if it has no name: its address", `"update1.sangfor.net"`},
		{"host_raw", 1, "text", "the text that the client sent, if it is not a valid name; an octet that is not UTF-8 is written as `\\x` and two digits", `"bad name"`},
		{"authority", 2, "text", "of a redirected flow: the name of the authority. Of other flows, `host` has this name", `"update1.sangfor.net"`},
		{"dest", 2, "text", "the address that was judged, if `host` is a name", `"198.51.100.7"`},
		{"port", 1, "number", "port of the destination", `443`},
		{"proto", 1, "text", "protocol towards the destination: `tcp`, `udp`", `"tcp"`},
		{"qtype", 2, "text", "DNS: type of the question; a rare type as `TYPE4711` (RFC 3597, section 5). In schema 1 `detail` began with it", `"AAAA"`},
		{"http_host", 2, "text", "the Host header: name or address, and port; if the header has no port: the default port", `"update1.sangfor.net:80"`},
		{"host_ignored", 2, "true", "`http_host` differed from the target of the request, and the target was used (RFC 9112, 3.2.2 and 3.2.3)", `true`},
		{"sni", 1, "text", "server name of the ClientHello", `"update1.sangfor.net"`},
		{"shown", 2, "text", "sniff result: `tls`, `http`, `opaque` (neither), `silent`. Absent: the first bytes were not read", `"tls"`},
		{"original_dst", 1, "text", "of a redirected flow: the address and port that the client connected to; of a SOCKS5 request: the [synthetic address](synthetic.md) in it", `"198.51.100.7:443"`},
		{"by_address", 2, "true", "a redirected flow that was judged by its address", `true`},
		{"pinned", 2, "list", "names for which the DNS filter gave this client the address of `original_dst`; at most 16 names, and 1.5 KiB", `["update1.sangfor.net"]`},
		{"mismatch", 1, "true", "the address of `original_dst` is neither among the resolved nor among the pinned addresses of the name", `true`},
		{"resolved", 1, "list", "addresses of the name; at most 16", `["198.51.100.7"]`},
		{"dialed", 1, "text", "the address and port of the connection to the destination", `"198.51.100.7:443"`},
		{"parent", 2, "text", "name of the `[[parent]]` through which the destination was reached, or was to be reached. Absent: directly, or not dialed", `"corporate"`},
		{"dialed_by", 2, "text", "how the parent was asked: `address` (sallyport resolved the name and judged the address), `name` (the parent resolves the name)", `"address"`},
		{"ech", 1, "true", "the ClientHello carries Encrypted ClientHello", `true`},
		{"provisional", 2, "true", "the decision was made before sallyport had read all of the first bytes; a denial is final nevertheless", `true`},
		{"fault", 2, "text", "the reason, if sallyport could not read the attempt or refused it before it looked at any rule; `dns_bogus` if DNSSEC does not prove the answer", `"sniff_timeout"`},
		{"reason", 1, "text", "why the attempt was denied, or would have been: [reasons](#reasons)", `"feature_off"`},
		{"detail", 1, "text", "more about the fault; of a `close`: how the flow ended; of other events: what happened", `"no Host field"`},
		{"rule", 1, "text", "the rule that permits: profile/id, or site/id", `"endpoint-secure-onprem/license"`},
		{"source", 1, "text", "document, version and section of the rule; of a profile from a file also its revision, and the shipped profile that it replaces", `"Sangfor Endpoint Secure Network Access Address Requirements Guide, version 01, section 1"`},
		{"nearest", 1, "text", "the documented rule that is nearest to the denied attempt", `"endpoint-secure-onprem/auth-sea"`},
		{"hint", 1, "text", "the change that would permit the attempt", `"documented for endpoint-secure-onprem, section 1, when feature cyber-guardian is on"`},
		{"known", 2, "text", "of a denial that a `[[known]]` covers: its `why`, with the name of the set if it is of a shipped set", `"windows-noise: connection test of Windows (NCSI)"`},
		{"count", 1, "number", "how many attempts the record counts; absent: one", `250`},
		{"omitted", 2, "list", "fields that are left out, because they differed among the attempts of `count` or because the line would be too long", `["client","sni"]`},
		{"bytes_in", 1, "number", "of a `close`: octets from the client", `1830`},
		{"bytes_out", 1, "number", "of a `close`: octets to the client", `52014`},
		{"duration_ms", 1, "number", "of a `close`: milliseconds from start to end", `2210`},
		{"flow", 1, "number", "the same in all records of one connection or query; absent with `count`", `7`},
		{"truncated", 1, "true", "a value was longer than its limit and was cut", `true`},
	}
}
