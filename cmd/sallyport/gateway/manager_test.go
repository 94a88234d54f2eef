// Tests of what a gateway reports to the service manager.

package gateway

import (
	"context"
	"strings"
	"testing"
	"time"
)

// alive reports a working gateway and writes no record. It reports a failure if a
// lock is not released or the policy does not answer.
func TestAlive(t *testing.T) {
	g, _, _ := readyGateway(t)
	before := g.journal.Stats()
	if err := g.alive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := g.journal.Stats(); after.Denials != before.Denials {
		t.Error("asking left a record")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	g.mu.Lock() // like a reload that hangs
	done := make(chan error, 1)
	go func() { done <- g.alive(ctx) }()
	select {
	case err := <-done:
		t.Errorf("a gateway whose reload hangs says %v", err)
	case <-ctx.Done():
	}
	g.mu.Unlock()
	<-done
	g.live.Swap(nil)
	if err := g.alive(t.Context()); err == nil {
		t.Error("a gateway without a policy is alive")
	}
}

// The status is one line: first the problems, then the policy in force.
func TestStatus(t *testing.T) {
	g, _, write := readyGateway(t)
	if got := g.status(); !strings.HasPrefix(got, "revision ") {
		t.Errorf("status %q", got)
	}
	write("mood = 1\n")
	g.Reload("test")
	if got := g.status(); !strings.HasPrefix(got, "not ready: configuration: ") || !strings.Contains(got, "; revision ") {
		t.Errorf("status after a bad reload %q", got)
	}
	g.draining.Store(true)
	if got := g.status(); got != "draining: 0 connections open" {
		t.Errorf("status at the end %q", got)
	}
}
