// Own: which addresses lead back to the gateway that wrote a journal. Its start
// record says so, for those who ask its policy on another host.

package denials

import (
	"net/netip"
	"slices"

	"sallyport/rules"
	"sallyport/rules/site"
)

// OwnTexts spells what is a gateway's own for its start record: its listeners
// as address:port, then the addresses of its host but those of loopback, which
// every host has.
func OwnTexts(listeners []netip.AddrPort, host []netip.Addr) []string {
	var out []string
	for _, l := range listeners {
		out = append(out, l.String())
	}
	for _, a := range host {
		if text := a.Unmap().WithZone("").String(); !a.IsLoopback() && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// hostAddresses returns the addresses of the host in what OwnTexts spelled.
func hostAddresses(own []string) []netip.Addr {
	var out []netip.Addr
	for _, text := range own {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, a.Unmap())
		} else if l, err := netip.ParseAddrPort(text); err == nil && !l.Addr().IsUnspecified() {
			out = append(out, l.Addr().Unmap())
		}
	}
	return out
}

// Recorded returns the site as the gateway has it that wrote the journals: the
// newest start record in them says which addresses its host has. On that host
// those that it has now count as well. Without such a record it is s.
func (s *Site) Recorded(files []string) (*Site, error) {
	host := hostAddresses(lastOwn(files))
	if len(host) == 0 || s.src.Text == nil {
		return s, nil
	}
	if here := s.own.Local; here != nil && !slices.ContainsFunc(host, func(a netip.Addr) bool { return !here(a) }) {
		return s, nil // it is this host, and has no address less than then
	}
	src, before := s.src, s.src.Own
	src.Own = func(l site.Listen) rules.Own {
		var own rules.Own
		if before != nil {
			own = before(l)
		}
		here := own.Local
		same := here != nil && slices.ContainsFunc(host, func(a netip.Addr) bool { return !a.IsLoopback() && !a.IsLinkLocalUnicast() && here(a) })
		own.Local = func(a netip.Addr) bool { return slices.Contains(host, a) || same && here(a) }
		return own
	}
	return NewSite(src)
}

// lastOwn returns what the newest start record in the files says is the
// gateway's own; nil: none says it. The last file is looked at first, and what
// cannot be read is passed over: whoever reads the records reports it.
func lastOwn(files []string) []string {
	for _, name := range slices.Backward(files) {
		if own := ownIn(name); own != nil {
			return own
		}
	}
	return nil
}

// ownIn returns what the last start record of one file says.
func ownIn(name string) (own []string) {
	s, err := openReader(name, newDecoder(), &Report{})
	if err != nil {
		return nil
	}
	defer s.close()
	for s.only = []byte(`"event":"` + EventStart + `"`); s.next(); {
		if s.rec.Event == EventStart && len(s.rec.Own) > 0 {
			own = slices.Clone(s.rec.Own)
		}
	}
	return own
}
