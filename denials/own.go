// Own: finds the addresses of the gateway that wrote a journal. Its start
// record lists them, for a review on another host.

package denials

import (
	"net/netip"
	"slices"

	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/site"
)

// hostAddresses returns the host's addresses from the texts of OwnTexts.
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

// Recorded returns the site with the own addresses of the gateway that wrote
// the journals, from their newest start record. On that gateway's host, its
// current addresses count too. Recorded returns s if there is no such record.
func (s *Site) Recorded(files []string) (*Site, error) {
	host := hostAddresses(journal.LastOwn(files))
	if len(host) == 0 || s.src.Text == nil {
		return s, nil
	}
	if here := s.own.Local; here != nil && !slices.ContainsFunc(host, func(a netip.Addr) bool { return !here(a) }) {
		return s, nil // it is this host, and no recorded address is gone
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
