// Logins: reports how many users may log in, and how their logins end. It shows no name and no
// secret.

package gateway

import (
	"fmt"
	"slices"

	"sallyport/proxy/proof"
	"sallyport/rules"
	"sallyport/rules/site"
)

// A loginState is the part of /readyz about users_file.
type loginState struct {
	Users     int    `json:"users"`
	Proven    uint64 `json:"proven"`
	Wrong     uint64 `json:"wrong"`
	Paused    uint64 `json:"paused"`            // refused because too many wrong passwords came from the source
	Busy      uint64 `json:"busy"`              // refused because too many passwords were checked at once
	Throttled int    `json:"throttled_sources"` // sources that are paused now
}

// String describes the state in one line.
func (s loginState) String() string {
	return fmt.Sprintf("%s; %d logins accepted, %d refused (%d wrong, %d from a paused source, %d because of load); %s paused now",
		rules.Counted(s.Users, "user", "users"), s.Proven, s.Wrong+s.Paused+s.Busy, s.Wrong, s.Paused, s.Busy, rules.Counted(s.Throttled, "source", "sources"))
}

// loginState returns the state of the logins; nil if no client has a users_file.
func (g *Gateway) loginState(cfg *site.Config) *loginState {
	if !slices.ContainsFunc(cfg.Clients, func(c *rules.Client) bool { return c.Users != nil }) {
		return nil
	}
	s := loginState{Users: len(proof.Of(g.live.Load()).Passwords), Throttled: g.proxy.PausedSources()}
	s.Wrong, s.Proven, s.Paused, s.Busy, _ = g.proxy.Logins()
	return &s
}
