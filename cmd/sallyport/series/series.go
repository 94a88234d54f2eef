// Package series lists every metric of the gateway: name, type, labels, help and,
// where one helps, an example alert. The registry describes the metrics with these
// texts, and the help topic "metrics" prints them.
package series

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A Metric describes one metric.
type Metric struct {
	Name   string
	Type   string // counter, gauge or histogram
	Labels []string
	Help   string // in Markdown, on one line
	Alert  string // an expression; "…" stands for the name
}

// PlainHelp returns the help without Markdown, for the exposition format.
func (m Metric) PlainHelp() string { return strings.ReplaceAll(m.Help, "`", "") }

// Desc returns the description that a collector sends with its values.
func (m Metric) Desc() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.PlainHelp(), m.Labels, nil)
}

// ValueType returns the type of a counter's or gauge's value.
func (m Metric) ValueType() prometheus.ValueType {
	if m.Type == "counter" {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// Counter returns a counter with the description of the metric with this name.
func Counter(name string) *prometheus.CounterVec {
	m, _ := Named(name)
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.PlainHelp()}, m.Labels)
}

// Named returns the metric with this name, and whether there is one.
func Named(name string) (Metric, bool) {
	for _, m := range All() {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// All returns every metric, in the order of the help.
func All() []Metric {
	return []Metric{
		// Decisions.
		{Name: "sallyport_decisions_total", Type: "counter", Labels: []string{"verdict", "reason", "via", "known"}, Help: "Final decisions. `verdict`: `allow`, `deny`, `would_deny`. `known`: `yes` if a `[[known]]` covers the denial, else `no`.", Alert: "`increase(…{reason=~\"sni_mismatch|host_mismatch|self\"}[1h]) > 0`"},
		{Name: "sallyport_dial_failures_total", Type: "counter", Labels: []string{"fault"}, Help: "Permitted flows whose destination could not be reached: `resolve`, `no address`, `timeout`, `refused`, `unreachable`, `failed`, and with a parent proxy `parent_…`.", Alert: "`increase(…[15m]) > 20`"},
		{Name: "sallyport_parent_flows_total", Type: "counter", Labels: []string{"parent", "result"}, Help: "Flows by parent proxy. `result`: `ok`, or the fault: `parent_unreachable`, `parent_timeout`, `parent_tls`, `parent_auth`, `parent_refused`, `parent_reply`.", Alert: "`increase(…{result!=\"ok\"}[15m]) > 20`"},
		{Name: "sallyport_parent_up", Type: "gauge", Labels: []string{"parent"}, Help: "1 while the checks of the parent proxy pass; only for a `[[parent]]` with `health`.", Alert: "`… == 0` for 5 minutes"},
		// Connections.
		{Name: "sallyport_connections", Type: "gauge", Help: "Accepted proxy connections that are open.", Alert: "`… > 0.8 * 16384` (`[limits] connections`)"},
		{Name: "sallyport_tunnels", Type: "gauge", Help: "Flows that are connected to their destination."},
		{Name: "sallyport_sniffing", Type: "gauge", Help: "Tunnels that wait for their first bytes."},
		{Name: "sallyport_connections_total", Type: "counter", Help: "Accepted proxy connections."},
		{Name: "sallyport_connections_empty_total", Type: "counter", Help: "Proxy connections that closed without a byte and without a denial."},
		{Name: "sallyport_balancer_checks_total", Type: "counter", Help: "Connections from `[listen] proxy_protocol_from` whose PROXY header names no client: health checks of balancers."},
		{Name: "sallyport_logins_total", Type: "counter", Labels: []string{"result"}, Help: "Passwords of proxy clients: `proven`, `remembered` (proven less than five minutes before), `wrong`, `paused` (too many wrong passwords from one source), `busy` (too many checks at once).", Alert: "`increase(…{result=~\"paused|busy\"}[15m]) > 0`"},
		{Name: "sallyport_tls_handshakes_total", Type: "counter", Labels: []string{"result"}, Help: "TLS handshakes of clients with `[listen] https`: `ok`, or `failed`, which includes clients that do not speak TLS.", Alert: "`increase(…{result=\"failed\"}[15m]) > 20`"},
		{Name: "sallyport_client_certificates_total", Type: "counter", Labels: []string{"result"}, Help: "Certificates that clients have shown: `accepted`, `expired` (or not valid yet), `revoked`, `untrusted` (no authority of `client_ca` has signed it), `no_list` (its authority has no current list in `client_crl`).", Alert: "`increase(…{result!=\"accepted\"}[15m]) > 0`"},
		{Name: "sallyport_tls_expiry_timestamp_seconds", Type: "gauge", Labels: []string{"file"}, Help: "When the first certificate or list in a file of `[listen] https` ends: `tls_cert`, `client_ca`, `client_crl`.", Alert: "`… - time() < 7 * 86400`"},
		{Name: "sallyport_connections_refused_total", Type: "counter", Help: "Proxy connections refused because of a limit or a drain.", Alert: "`increase(…[15m]) > 0`"},
		{Name: "sallyport_accept_errors_total", Type: "counter", Help: "Accepts that failed, for example because no file descriptor was left.", Alert: "`increase(…[15m]) > 0`"},
		{Name: "sallyport_panics_total", Type: "counter", Help: "Connections that ended in a recovered panic.", Alert: "`increase(…[1h]) > 0`"},
		{Name: "sallyport_bytes_total", Type: "counter", Labels: []string{"direction"}, Help: "Relayed bytes, with the content of datagrams; `in`: from clients, `out`: to clients."},
		// Datagrams.
		{Name: "sallyport_udp_associations", Type: "gauge", Help: "Open SOCKS5 UDP associations.", Alert: "`… > 0.8 * 1024` (`[limits] udp_flows`)"},
		{Name: "sallyport_udp_flows", Type: "gauge", Help: "Flows of datagrams that exist, of SOCKS5 and of TPROXY: an address and port of a client with one destination.", Alert: "`… > 0.8 * 1024` (`[limits] udp_flows`)"},
		{Name: "sallyport_udp_datagrams_total", Type: "counter", Labels: []string{"direction"}, Help: "Datagrams relayed, of SOCKS5 and of TPROXY; `in`: from clients, `out`: to clients. DNS queries are not among them."},
		{Name: "sallyport_udp_dropped_total", Type: "counter", Labels: []string{"cause"}, Help: "Datagrams not relayed. `cause`: `malformed` (header or fragment), `other_client` (not from the address or port of the association), `denied`, `waiting` (too many before the flow was connected), `unreachable`, `unsent` (the kernel refused it towards the destination), `unreplied` (the same towards the client).", Alert: "`increase(…{cause=\"other_client\"}[15m]) > 0`"},
		// DNS.
		{Name: "sallyport_dns_answers_total", Type: "counter", Labels: []string{"kind", "proto", "rcode"}, Help: "DNS replies. `kind`: `malformed`, `denied`, `cached`, `fixed` (`[hosts]`), `upstream`, `failed`, `truncated` (sent to TCP), `synthetic`, `dropped`.", Alert: "`rate(…{kind=\"failed\"}[5m]) > 1`"},
		{Name: "sallyport_dns_answer_seconds", Type: "histogram", Labels: []string{"kind"}, Help: "Time from the arrival of a DNS query to its reply."},
		{Name: "sallyport_dns_upstream_tries_total", Type: "counter", Labels: []string{"upstream", "result"}, Help: "Queries to upstream resolvers. `result`: `ok`, `failed`."},
		{Name: "sallyport_dns_upstream_up", Type: "gauge", Labels: []string{"upstream"}, Help: "1 while the upstream answers queries or probes.", Alert: "`… == 0` for 5 minutes"},
		{Name: "sallyport_synthetic_names", Type: "gauge", Labels: []string{"kind"}, Help: "Names with a synthetic address. `kind`: `exact` (names of rules), `asked` (names below wildcards and of lists that clients asked for). Absent without `[dns] synthetic`.", Alert: "`…{kind=\"asked\"} > 0.8 * 65536`"},
		{Name: "sallyport_synthetic_later_choices", Type: "gauge", Help: "Synthetic addresses that are not the first choice of their name, because two names wanted the same one. Absent without `[dns] synthetic`."},
		// The journal.
		{Name: "sallyport_journal_up", Type: "gauge", Help: "1 while the journal can be written.", Alert: "`… == 0`"},
		{Name: "sallyport_journal_queue", Type: "gauge", Help: "Records that wait for the writer."},
		{Name: "sallyport_journal_pending_denials", Type: "gauge", Help: "Denials that are counted but not yet in the file."},
		{Name: "sallyport_journal_lines_total", Type: "counter", Help: "Lines written."},
		{Name: "sallyport_journal_bytes_total", Type: "counter", Help: "Bytes written.", Alert: "`rate(…[1h]) * 86400 > 10e9` (10 GB a day)"},
		{Name: "sallyport_journal_denials_total", Type: "counter", Help: "Denials recorded, one by one or in counts."},
		{Name: "sallyport_journal_folded_total", Type: "counter", Help: "Decisions that one record counts together with others."},
		{Name: "sallyport_journal_errors_total", Type: "counter", Help: "Failed attempts to write."},
		// Sinks.
		{Name: "sallyport_sink_up", Type: "gauge", Labels: []string{"sink"}, Help: "1 unless the last attempt to send to the `[[sink]]` failed.", Alert: "`… == 0` for 5 minutes"},
		{Name: "sallyport_sink_lag_seconds", Type: "gauge", Labels: []string{"sink"}, Help: "Age of the oldest record that waits to be sent; 0: none waits.", Alert: "`… > 300`"},
		{Name: "sallyport_sink_records_total", Type: "counter", Labels: []string{"sink", "result"}, Help: "Records. `result`: `sent` (those sent again included), `delivered` (the receiver has them), `resent` (their connection broke before they counted as delivered)."},
		{Name: "sallyport_sink_failures_total", Type: "counter", Labels: []string{"sink"}, Help: "Attempts to send that failed."},
		{Name: "sallyport_sink_losses_total", Type: "counter", Labels: []string{"sink"}, Help: "Times that records were removed from the disk, or damaged, before they were sent. Kept across restarts.", Alert: "`increase(…[1h]) > 0`"},
		{Name: "sallyport_sink_lost_records_total", Type: "counter", Labels: []string{"sink"}, Help: "At most how many records these losses had, where the numbers beside a gap show it. Kept across restarts."},
		// The packet filter.
		{Name: "sallyport_filter_journaled", Type: "gauge", Help: "1 while the drops of the packet filter are journaled. Absent without `--filter-counters` and `--live-sets`.", Alert: "`… == 0` for 5 minutes"},
		{Name: "sallyport_filter_packets_total", Type: "counter", Labels: []string{"counter"}, Help: "Packets that the packet filter dropped or rejected, by counter of the ruleset. Starts again at zero when the ruleset is loaded."},
		// The configuration in force.
		{Name: "sallyport_reloads_total", Type: "counter", Labels: []string{"result"}, Help: "Reloads of the configuration. `result`: `ok`, `refused`."},
		{Name: "sallyport_policy_current", Type: "gauge", Help: "1 while the policy in force is that of the configuration file.", Alert: "`… == 0` for 5 minutes"},
		{Name: "sallyport_policy_info", Type: "gauge", Labels: []string{"revision", "mode"}, Help: "Always 1; the labels have the policy in force."},
		{Name: "sallyport_policy_rules", Type: "gauge", Help: "Rules in force, over all clients."},
		{Name: "sallyport_policy_loaded_timestamp_seconds", Type: "gauge", Help: "When the policy in force was loaded (Unix time)."},
		{Name: "sallyport_policy_next_expiry_timestamp_seconds", Type: "gauge", Help: "When the next `[[rule]]` expires (Unix time). Absent if no rule expires.", Alert: "`… - time() < 14 * 86400`"},
		// The process.
		{Name: "sallyport_hardening_info", Type: "gauge", Labels: []string{"step", "state"}, Help: "Always 1; the labels name a step of the hardening and its state. `state`: `on`, `absent` (not in this kernel), `failed`, `off`.", Alert: "`…{state=~\"failed|off\"} == 1`"},
		{Name: "sallyport_build_info", Type: "gauge", Labels: []string{"version", "commit"}, Help: "Always 1; the labels have this build."},
	}
}
