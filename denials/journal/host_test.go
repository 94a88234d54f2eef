// Tests that the recorded destination is the one that the policy judged.

package journal

import (
	"net/netip"
	"strings"
	"testing"

	"sallyport/rules"
)

// If a client requests an address and sends a permitted name as Host, the record
// must not have this name as the destination. A scan of addresses with the same
// Host must not be folded into one line.
func TestAddressIsOnRecordWhateverTheHostSays(t *testing.T) {
	permitted, err := rules.ParseName("license.sangfor.com")
	if err != nil {
		t.Fatal(err)
	}
	at := func(addr string) entry {
		return entry{event: EventDecision, count: 1, d: rules.Decision{Reason: rules.IPLiteral}, a: rules.Attempt{
			Via: rules.ViaConnect, Proto: rules.TCP, Host: permitted, HostPort: 80, Dest: netip.MustParseAddrPort(addr)}}
	}
	metadata, other := at("169.254.169.254:80"), at("10.0.0.1:80")
	var r Record
	r.fill(&metadata, rules.Hint)
	if r.Host != "169.254.169.254" || r.HTTPHost != "license.sangfor.com:80" || r.FullDetail() != "Host license.sangfor.com:80" {
		t.Errorf("host %q, http_host %q, shown as %q", r.Host, r.HTTPHost, r.FullDetail())
	}
	if metadata.key() == other.key() {
		t.Error("two addresses fold into one record")
	}
	name := entry{event: EventDecision, a: rules.Attempt{Via: rules.ViaHTTP, Authority: permitted, Dest: netip.MustParseAddrPort("93.184.216.1:80")}}
	r.fill(&name, rules.Hint)
	if r.Host != "license.sangfor.com" {
		t.Errorf("host %q: the name that was judged comes before the address dialed", r.Host)
	}
}

// An unreadable request shows no host. Its hint describes the fault, as does the
// answer to the client.
func TestHintOfAnUnreadableRequest(t *testing.T) {
	a := rules.Attempt{Via: rules.ViaHTTP, Client: netip.MustParseAddrPort("10.0.0.1:4"), Fault: rules.MalformedRequest, Detail: "no Host field"}
	d := rules.Decision{Reason: rules.MalformedRequest}
	e := entry{event: EventDecision, a: a, d: d, count: 1}
	var r Record
	if r.fill(&e, rules.Hint); r.Hint != rules.Hint(a, d) || !strings.HasSuffix(r.Hint, ": no Host field") {
		t.Errorf("the hint is %q", r.Hint)
	}
	e.a.Detail = "" // as for many attempts with different details
	if r.fill(&e, rules.Hint); r.Hint != rules.MalformedRequest.Help() {
		t.Errorf("the hint of many is %q", r.Hint)
	}
}
