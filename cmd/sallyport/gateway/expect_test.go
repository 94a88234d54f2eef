// Tests of [[expect]] in a running sallyport: a reload that breaks one is refused, and a
// policy that changes by itself is reported.

package gateway

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const mirrorExpected = `
[[expect]]
client  = "manager"
to      = "mirror.example"
tcp     = 443
verdict = "allow"
`

func mirrorRule(expires string) string {
	return "\n[[rule]]\nid = \"mirror\"\nclient = \"manager\"\nto = [\"mirror.example\"]\ntcp = [443]\nreason = \"test\"\n" + expires + "\n"
}

// A reload that breaks an expectation leaves the policy in force as it is.
func TestAReloadThatBreaksAnExpectationIsRefused(t *testing.T) {
	g, log, write := readyGateway(t)
	write(readySite + mirrorRule("") + mirrorExpected)
	g.Reload("a test")
	revision := g.live.Policy().Revision()
	if g.live.Policy().Rules() != 1 || g.reloadErr != nil {
		t.Fatalf("%d rules in force, %v", g.live.Policy().Rules(), g.reloadErr)
	}
	write(readySite + mirrorExpected)
	g.Reload("a test")
	if g.live.Policy().Revision() != revision {
		t.Error("the policy that breaks an expectation is in force")
	}
	const want = `expect: client "manager" to mirror.example on tcp 443: expected allow, but the answer is deny: not_listed`
	if code, text := g.readyz(); code != 503 || !strings.Contains(text, "the earlier configuration stays in force") || !strings.Contains(text, want) {
		t.Errorf("/readyz %d:\n%s", code, text)
	}
	if !strings.Contains(log.String(), "reload refused") {
		t.Errorf("the log lacks it: %s", log)
	}
	write(readySite + mirrorRule("") + mirrorExpected)
	g.Reload("a test")
	if code, text := g.readyz(); code != 200 || strings.Contains(text, "expect") {
		t.Errorf("/readyz after the correction %d:\n%s", code, text)
	}
}

// A rule that expires can break an expectation. The gateway goes on serving by its policy and
// stays ready; the log and /readyz say that the next start will refuse the configuration.
func TestAnExpectationThatARunningPolicyBreaks(t *testing.T) {
	t.Parallel()
	g, log, write := readyGateway(t)
	end := time.Now().Add(2 * time.Second).UTC()
	write(readySite + mirrorRule("expires = "+end.Format(time.RFC3339Nano)) + mirrorExpected)
	g.Reload("a test")
	if g.reloadErr != nil {
		t.Fatal(g.reloadErr)
	}
	if text := log.String(); !strings.Contains(text, "holds only until rule site/mirror expires") {
		t.Errorf("no warning before: %s", text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.expire(ctx) }()
	defer func() { cancel(); <-done }()
	for deadline := time.Now().Add(20 * time.Second); g.live.Policy().Rules() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("an expired rule is in force")
		}
	}
	const want = `expect: client "manager" to mirror.example on tcp 443: expected allow, but the answer is deny: expired; nearest site/mirror`
	code, text := g.readyz()
	if code != 200 || !strings.Contains(text, "broken expectation: ") || !strings.Contains(text, want) {
		t.Errorf("/readyz %d:\n%s", code, text)
	}
	if n := strings.Count(log.String(), "the policy in force breaks an expectation"); n != 1 {
		t.Errorf("the log has it %d times: %s", n, log)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/readyz", nil)
	r.Header.Set("Accept", "application/json")
	g.serveReady(w, r)
	var is readiness
	if err := json.Unmarshal(w.Body.Bytes(), &is); err != nil || !is.Ready || len(is.Broken) != 1 || !strings.Contains(is.Broken[0], want) {
		t.Errorf("%v: %s", err, w.Body)
	}
}
