// Expire: what the log says in the night in which a rule ends.

package main

import (
	"testing"
	"time"

	"sallyport/rules"
)

func TestExpiredRulesAreNamed(t *testing.T) {
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	at := func(id string, when time.Time) *rules.Rule {
		return &rules.Rule{Profile: rules.SiteProfile, ID: id, Expires: when}
	}
	cfg := &rules.Config{Rules: []*rules.Rule{
		at("always", time.Time{}), at("before", midnight.AddDate(0, 0, -1)), at("mirror", midnight), at("wsus", midnight), at("later", midnight.AddDate(0, 0, 1)),
	}}
	if got := expired(cfg, midnight, midnight.Add(time.Minute)); got != "site/mirror, site/wsus" {
		t.Errorf("expired: %q", got)
	}
}
