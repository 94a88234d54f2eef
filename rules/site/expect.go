// Expect: the [[expect]] tables of a configuration, which say what its policy must answer. A
// configuration whose policy answers otherwise does not come into force.

package site

import (
	"fmt"
	"time"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// An Expectation is one [[expect]]: a question, and the answer that the site relies on.
type Expectation struct {
	Client string
	To     string // a name or an address
	Proto  rules.Proto
	Port   uint16
	Allow  bool
	Reason rules.Reason // the expected reason of a denial; ReasonNone: any reason
	Why    string       // why the site relies on it
	Line   int
}

func (c *Config) readExpectation(t *tomldoc.Table) Expectation {
	e := Expectation{Client: t.Str("client"), Why: t.Text("why"), Line: t.Line("")}
	if e.Client == "" {
		t.Missing("client", "name the [[client]] that asks")
	} else {
		c.checkRuleClient(t, e.Client)
	}
	e.readHost(t)
	switch tcp, udp := t.Has("tcp"), t.Has("udp"); {
	case tcp && udp:
		t.Errorf("udp", "asks about one protocol: write a second [[expect]] for the other protocol")
		t.MarkRead("tcp", "udp")
	case tcp:
		e.Proto, e.Port = rules.TCP, uint16(t.Int("tcp", 0, 1, 65535))
	case udp:
		e.Proto, e.Port = rules.UDP, uint16(t.Int("udp", 0, 1, 65535))
	default:
		t.Missing("tcp", "give the port: tcp = 443, or udp = 514")
	}
	if !t.Has("verdict") {
		t.Missing("verdict", `write "allow" or "deny"`)
	} else {
		e.Allow = t.Choice("verdict", "deny", "allow") == "allow"
	}
	e.readReason(t)
	t.Done()
	return e
}

// readHost reads the destination of the question: one name or one address.
func (e *Expectation) readHost(t *tomldoc.Table) {
	text := t.Str("to")
	if text == "" {
		t.Missing("to", "give the name or the address that the client asks for")
		return
	}
	d, err := rules.ParseDestination(text)
	switch {
	case err != nil:
		t.Errorf("to", "%v", err)
	case d.Wildcard:
		t.Errorf("to", "%q is not one name: ask about a name below it, like %q", text, "a."+d.Name.String())
	case d.Role != "":
		t.Errorf("to", "%q is not a name or an address: ask about a name or an address to which the role is bound", text)
	case d.Prefix.IsValid() && !d.Prefix.IsSingleIP():
		t.Errorf("to", "%q is not one address: ask about an address in it, like %q", text, d.Prefix.Addr())
	default:
		e.To = d.String()
	}
}

func (e *Expectation) readReason(t *tomldoc.Table) {
	if e.Reason = readReason(t); e.Reason != rules.ReasonNone && e.Allow {
		t.Errorf("reason", `belongs to verdict = "deny": an attempt that is permitted has no reason`)
	}
}

// soon is the time before a rule expires in which CheckExpectations warns about it.
const soon = 14 * 24 * time.Hour

// CheckExpectations asks the policy about every [[expect]]. An error is an answer that
// differs. A warning is an answer that will differ when a rule expires. Mode "audit" makes
// no difference: an attempt that it lets through counts as denied.
func (c *Config) CheckExpectations(policy *rules.Policy, now time.Time) (out rules.Problems) {
	for i := range c.Expect {
		e := &c.Expect[i]
		problem := func(warning bool, format string, args ...any) {
			text := fmt.Sprintf("expect: client %q to %s on %v %d: ", e.Client, e.To, e.Proto, e.Port) + fmt.Sprintf(format, args...)
			if e.Why != "" {
				text += " (why: " + e.Why + ")"
			}
			out = append(out, rules.Problem{File: c.File, Line: e.Line, Text: text, Warning: warning})
		}
		cl := c.clientNamed(e.Client)
		from, ok := SourceOf(policy, cl)
		if !ok {
			problem(false, "sallyport cannot ask as this client: earlier clients have the first and the last address of each of its sources")
			continue
		}
		q := Question(from, e.Proto, e.To, e.Port)
		q.Identity = cl.Demanded()
		a, d := c.Ask(policy, q)
		switch {
		case !e.holds(d):
			problem(false, "expected %s, but the answer is %s", e.answer(), answerOf(a, d))
		case d.Rule != nil && !d.Rule.Expires.IsZero() && d.Rule.Expires.Sub(now) < soon:
			problem(true, "holds only until rule %s expires (%s): from then on, no start and no reload accepts this configuration; change the expectation and the rule together", d.Rule, rules.ExpiresText(d.Rule.Expires))
		}
	}
	return out
}

func (c *Config) clientNamed(name string) *rules.Client {
	for _, cl := range c.Clients {
		if cl.Name == name {
			return cl
		}
	}
	return nil
}

// holds reports whether a decision is the expected answer.
func (e *Expectation) holds(d rules.Decision) bool {
	allowed := d.Allowed() && !d.Would
	return allowed == e.Allow && (allowed || e.Reason == rules.ReasonNone || e.Reason == d.Why())
}

// answer returns the expected answer as text.
func (e *Expectation) answer() string {
	switch {
	case e.Allow:
		return rules.Allow.String()
	case e.Reason == rules.ReasonNone:
		return rules.Deny.String()
	}
	return rules.Deny.String() + ": " + e.Reason.String()
}

// answerOf returns a decision as explain prints it, on one line.
func answerOf(a rules.Attempt, d rules.Decision) string {
	text := d.Text()
	if why := d.Why(); why != rules.ReasonNone {
		text += ": " + why.String()
	}
	if d.Rule != nil {
		text += "; rule " + d.Rule.String()
	}
	if d.Nearest != nil {
		text += "; nearest " + d.Nearest.String()
	}
	if hint := rules.Hint(a, d); hint != "" {
		text += "; hint: " + hint
	}
	return text
}
