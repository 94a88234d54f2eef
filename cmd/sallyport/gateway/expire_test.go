// Tests of rules that expire while sallyport runs.

package gateway

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A rule that a reload adds ends when it expires, even if no rule of the earlier
// configuration had an expiry date.
func TestExpiryAfterAReload(t *testing.T) {
	g, log, write := readyGateway(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.expire(ctx) }()
	defer func() { cancel(); <-done }()
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	write(readySite + `
[[rule]]
id      = "mirror"
client  = "manager"
to      = ["mirror.example"]
tcp     = [443]
reason  = "test"
expires = ` + yesterday.Format(time.DateOnly) + "\n")
	cfg, _, err := LoadConfig(g.source.file, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.cfg = cfg
	policy, _ := g.enforce(cfg, g.resolver, yesterday) // as if reloaded yesterday
	g.mu.Unlock()
	if policy.Rules() != 1 {
		t.Fatalf("%d rules in force", policy.Rules())
	}
	for deadline := time.Now().Add(20 * time.Second); g.live.Policy().Rules() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("an expired rule is in force")
		}
	}
	g.mu.Lock() // wait until it is logged
	text := log.String()
	g.mu.Unlock()
	if !strings.Contains(text, "a rule expired") || !strings.Contains(text, "site/mirror") {
		t.Errorf("the log lacks it: %s", text)
	}
}
