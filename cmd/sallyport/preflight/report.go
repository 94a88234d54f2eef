// Report: the results of a run, as --json prints them.

package preflight

import (
	"slices"
	"strings"
	"time"
)

// Status is the outcome for one address, destination or run.
type Status string

// The outcomes, from good to bad.
const (
	OK         Status = "ok"
	Warning    Status = "warning"    // works, but not for all addresses or clients
	NotTried   Status = "not_tried"  // preflight has no meaningful way to try it
	Unfinished Status = "unfinished" // interrupted before the result
	Failed     Status = "failed"
)

// A Report is one run.
type Report struct {
	Schema       int            `json:"schema"`
	Config       string         `json:"config"`
	Revision     string         `json:"revision"` // of the policy
	Started      time.Time      `json:"started"`
	DurationMS   int64          `json:"duration_ms"`
	TimeoutMS    int64          `json:"timeout_ms"` // for each step
	Interrupted  bool           `json:"interrupted"`
	Summary      Summary        `json:"summary"`
	Upstreams    []Upstream     `json:"upstreams"`
	Destinations []*Destination `json:"destinations"`
	NotTried     []Untried      `json:"not_tried"`
	NoRoute      []Family       `json:"no_route"` // address families without a route
	Listener     *Listener      `json:"tls_listener,omitempty"`
}

// Summary counts destinations by status.
type Summary struct {
	OK         int `json:"ok"`
	Warning    int `json:"warning"`
	Failed     int `json:"failed"`
	Unfinished int `json:"unfinished"`
	NotTried   int `json:"not_tried"`
}

// An Upstream is a resolver, and how often it answered.
type Upstream struct {
	Upstream string `json:"upstream"`
	Answered int    `json:"answered"`
	Failed   int    `json:"failed"`
	Proved   int    `json:"proved,omitempty"`   // answers that DNSSEC proves, if the site asks
	Respells bool   `json:"respells,omitempty"` // it changes the letter case of questions
	Fault    string `json:"fault,omitempty"`    // what a person must correct, such as a certificate
	Cure     string `json:"cure,omitempty"`     // of the fault
	Ports    string `json:"-"`                  // what a firewall must permit, like "TCP 853"
}

// SetUpstreams records how often each resolver answered. If no resolver
// answered at all, the failed look-ups are the fault of the resolvers or of the
// way to them.
func (r *Report) SetUpstreams(list []Upstream) {
	r.Upstreams = list
	var asked []Upstream
	for _, u := range list {
		if u.Answered > 0 {
			return
		}
		if u.Failed > 0 {
			asked = append(asked, u)
		}
	}
	if len(asked) == 0 {
		return
	}
	all, ports, faults, cures := joined(asked)
	for _, d := range r.Destinations {
		if d.Problem != ResolverTimedOut && d.Problem != ResolverFailed {
			continue
		}
		d.Problem, d.Likely = ResolverTimedOut, "no resolver answers for any name: the resolvers are down, [dns] upstreams is wrong, or a firewall is between"
		d.Cure = "ask for " + ports + " to be opened from this host, or correct [dns] upstreams"
		if cures != "" {
			d.Likely, d.Cure = "no resolver answers for any name: "+faults, cures
		}
		if d.noRoute {
			d.Likely = "no resolver answers for any name: this host has no route to the resolvers"
			d.Cure = "give this host a route to " + all + ", or correct [dns] upstreams"
		}
	}
}

// joined lists resolvers, the ports to open for them, their faults, and the cures.
func joined(asked []Upstream) (all, ports, faults, cures string) {
	var names, open, texts, do []string
	same := true
	for _, u := range asked {
		names, open = append(names, u.Upstream), append(open, u.Ports+" to "+u.Upstream)
		same = same && u.Ports == asked[0].Ports
		if u.Fault != "" {
			texts, do = append(texts, u.Upstream+": "+u.Fault), append(do, u.Cure)
		}
	}
	all, ports = strings.Join(names, " and "), strings.Join(open, " and ")
	if same {
		ports = asked[0].Ports + " to " + all
	}
	return all, ports, strings.Join(texts, "; "), strings.Join(slices.Compact(do), "; ")
}

// A Destination is one host, protocol and port that the policy permits.
type Destination struct {
	Host    string     `json:"host"`
	Port    uint16     `json:"port"`
	Proto   string     `json:"proto"`
	Status  Status     `json:"status"`
	Finding            // of the destination as a whole
	Needs   []Need     `json:"needs"`
	DNS     *DNS       `json:"dns,omitempty"` // nil: the host is an address
	Results []*Address `json:"addresses"`
}

// A Need is a rule in force that permits a destination to a client.
type Need struct {
	Client  string `json:"client"`
	Rule    string `json:"rule"`
	Source  string `json:"source"`
	Purpose string `json:"purpose,omitempty"`
}

// A Finding is a problem with its detail, its most likely cause and the remedy.
type Finding struct {
	Problem Problem `json:"problem,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Likely  string  `json:"likely,omitempty"`
	Cure    string  `json:"cure,omitempty"`

	noRoute  bool   // a look-up failed because this host has no route to the resolver
	unproven string // why DNSSEC does not prove the answer, which is permitted; "": it does, or need not
}

// DNS is how a name was resolved.
type DNS struct {
	OK         bool     `json:"ok"`
	DurationMS float64  `json:"duration_ms"`
	Addresses  []string `json:"addresses"`
	NotTried   int      `json:"not_tried,omitempty"` // addresses beyond the limit
}

// An Address is one address of a destination.
type Address struct {
	Address string `json:"address"`
	Family  string `json:"family"` // "ipv4", "ipv6"
	Status  Status `json:"status"`
	Finding
	Tries int `json:"tries,omitempty"` // 2: the first try timed out
	at    place
	TCP   *TCP  `json:"tcp,omitempty"`
	TLS   *TLS  `json:"tls,omitempty"`
	HTTP  *HTTP `json:"http,omitempty"`
}

// TCP is a try to connect.
type TCP struct {
	OK         bool    `json:"ok"`
	DurationMS float64 `json:"duration_ms"`
	From       string  `json:"from,omitempty"` // this host's address
	ICMPFrom   string  `json:"icmp_from,omitempty"`
	ICMP       string  `json:"icmp,omitempty"`
}

// TLS is a handshake and the server's certificate. If the port speaks another
// protocol, OK is false and Note names it.
type TLS struct {
	OK         bool         `json:"ok"`
	DurationMS float64      `json:"duration_ms,omitempty"`
	Version    string       `json:"version,omitempty"`
	ServerName string       `json:"server_name,omitempty"`
	ClientCert bool         `json:"client_certificate,omitempty"` // the server asks for a client certificate
	Note       string       `json:"note,omitempty"`
	Cert       *Certificate `json:"certificate,omitempty"`
}

// A Certificate is the server's own certificate, not its authority's.
type Certificate struct {
	Subject   string    `json:"subject"`
	Names     []string  `json:"names"` // the first 16
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	DaysLeft  int       `json:"days_left"`
	Verified  bool      `json:"verified"`
}

// HTTP is the answer to HEAD /, or to GET / if the server does not answer HEAD.
type HTTP struct {
	OK         bool    `json:"ok"`
	DurationMS float64 `json:"duration_ms"`
	Status     int     `json:"status,omitempty"`
	Server     string  `json:"server,omitempty"`
	Location   string  `json:"location,omitempty"`
}

// Untried is something permitted that cannot be tried.
type Untried struct {
	Client string `json:"client"`
	Rule   string `json:"rule"`
	What   string `json:"what"`
	Why    string `json:"why"`
}
