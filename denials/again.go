// Again: asks a policy about what the journal recorded.

package denials

import (
	"net/netip"

	"sallyport/rules"
)

// Ask returns what the site would decide about a recorded attempt. False: the
// record does not say enough, because it stands for many clients or
// destinations. The answer is as good as the record: of a flow that was denied
// before it showed its content, only the destination is judged.
func (s *Site) Ask(r *Record) (rules.Attempt, rules.Decision, bool) {
	a, ok := attemptOf(r)
	if !ok {
		return a, rules.Decision{}, false
	}
	if !a.Client.IsValid() {
		return a, rules.Decision{}, false
	}
	best := s.ask(&a)
	if a.Dest.Addr().IsValid() || a.Authority.IsZero() {
		return a, best, true
	}
	asked, first := a, true
	for _, text := range r.Resolved { // permitted if one address is: the others are left out
		addr, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		b := a
		b.Dest = netip.AddrPortFrom(addr.Unmap(), a.Dest.Port())
		if d := s.ask(&b); first || rank(d) > rank(best) {
			asked, best, first = b, d, false
		}
	}
	return asked, best, true
}

// ask decides, and leaves out what would not have been looked at where a rule
// makes no demand on content.
func (s *Site) ask(a *rules.Attempt) rules.Decision {
	d := s.Policy.Decide(*a)
	switch a.Fault {
	case rules.NotTLS, rules.NotHTTP, rules.SniffTimeout, rules.SniffTooLong, rules.SNIMismatch, rules.HostMismatch:
		b := *a
		b.Fault = rules.ReasonNone
		if o := s.Policy.Decide(b); o.Opaque() {
			return o
		}
	}
	return d
}

// rank orders answers: denied, let through by mode "audit", permitted.
func rank(d rules.Decision) int {
	switch {
	case d.Verdict != rules.Allow:
		return 0
	case d.Would:
		return 1
	}
	return 2
}

// rankOf orders the verdicts of records alike.
func rankOf(verdict string) int {
	switch verdict {
	case VerdictAllow:
		return 2
	case VerdictWouldDeny:
		return 1
	}
	return 0
}

// attemptOf makes the attempt that a record tells of.
func attemptOf(r *Record) (rules.Attempt, bool) {
	client, _ := netip.ParseAddr(r.Client)
	a := rules.Attempt{
		Via: viaOf(r.Via), Proto: protoOf(r.Proto), Client: rules.ClientAddr(netip.AddrPortFrom(client, 0)),
		Mismatch: r.Mismatch, ECH: r.ECH, QType: 1, Provisional: true,
	}
	reason, _ := rules.ParseReason(r.Reason)
	if host, err := rules.ParseHost(r.Host); err == nil {
		a.Authority, a.Dest = host.Name, netip.AddrPortFrom(host.Addr, r.Port)
		a.ByAddress = a.Via == rules.Transparent && host.Addr.IsValid()
	} else if r.HostRaw != "" || reason == rules.MalformedName || reason == rules.MalformedRequest {
		a.Dest = netip.AddrPortFrom(netip.Addr{}, r.Port)
	} else {
		return a, false
	}
	a.Original, _ = netip.ParseAddrPort(r.OriginalDst)
	a.SNI, _ = rules.ParseName(r.SNI)
	if !r.Denied() {
		a.SNI = rules.Name{} // it agreed, or was not demanded
	}
	show(&a, reason)
	return a, true
}

// show gives an attempt what a denial for this reason had shown.
func show(a *rules.Attempt, reason rules.Reason) {
	switch reason {
	case rules.SNIMissing, rules.ECHPresent:
		a.Provisional, a.Shown = false, rules.ShownTLS
		a.ECH = reason == rules.ECHPresent
		if a.ECH && a.SNI.IsZero() {
			a.SNI = a.Authority
		}
	case rules.SNIMismatch:
		a.Provisional, a.Shown = false, rules.ShownTLS
		if a.SNI.IsZero() || a.SNI == a.Authority {
			a.Fault = reason
		}
	case rules.TypeNotAllowed:
		a.QType = 255 // which one it was does not matter
	case rules.DestinationMismatch:
		a.Mismatch = true
	case rules.MalformedRequest, rules.MalformedName, rules.NotTLS, rules.NotHTTP, rules.SniffTimeout, rules.SniffTooLong,
		rules.QUIC, rules.HostMismatch, rules.Limit, rules.JournalUnavailable, rules.Draining:
		a.Fault = reason
	}
}

func viaOf(text string) rules.Via {
	for v := rules.DNS; v <= rules.UDP; v++ {
		if v.String() == text {
			return v
		}
	}
	return rules.ViaUnknown
}

func protoOf(text string) rules.Proto {
	switch text {
	case "tcp":
		return rules.TCPProto
	case "udp":
		return rules.UDPProto
	}
	return rules.ProtoUnknown
}
