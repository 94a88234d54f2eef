// Parent faults: why a destination was not reached through a parent, and what to do about it. No
// text of a parent is in them: a parent could repeat our login in its answer.

package proxy

import (
	"errors"
	"fmt"
	"net/http"

	"sallyport/rules"
)

// A parentError is a failure of a parent, or a refusal by it.
type parentError struct {
	parent *rules.Parent
	cause  rules.Cause
	err    error // nil: there is no error beside the cause

	status     int    // of the parent's answer in HTTP; 0: there is none
	socks      string // the meaning of the parent's reply in SOCKS5; "": there is none
	broken     bool   // the parent itself cannot be used, so another one may be tried
	elsewhere  bool   // the refusal is about this address of the destination, so another one may be tried
	unresolved bool   // the parent's own name has no address

	certificate bool // the parent asked for a client certificate, and then gave no answer
	unsure      bool // the destination may have got the request
	unanswered  bool // it reported a connection, and the ClientHello got no answer
}

// Error returns the cause and what is known about it.
func (e *parentError) Error() string {
	text := "parent " + e.parent.Name + ": " + e.cause.DialFault()
	if answer := e.answer(); answer != "" {
		text += ": " + answer
	}
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	return text
}

// Unwrap returns the underlying error.
func (e *parentError) Unwrap() error { return e.err }

// Timeout reports whether something took too long.
func (e *parentError) Timeout() bool { return e.cause == rules.ParentTimedOut }

// Temporary is part of net.Error.
func (e *parentError) Temporary() bool { return false }

// answer returns the parent's answer in our own words.
func (e *parentError) answer() string {
	switch {
	case e.socks != "":
		return e.socks
	case e.status != 0:
		if text := http.StatusText(e.status); text != "" {
			return fmt.Sprintf("%d %s", e.status, text)
		}
		return fmt.Sprint(e.status)
	}
	return ""
}

// help returns one or two sentences for people: whose fault it is, and what to do.
func (e *parentError) help() string {
	name, said := "The parent proxy "+e.parent.Name, ""
	if answer := e.answer(); answer != "" {
		said = " (" + answer + ")"
	}
	var unproven *UnprovenError
	switch {
	case errors.Is(e.err, errOwnParent):
		return name + " is sallyport itself: correct url of its [[parent]]."
	case e.unresolved && errors.As(e.err, &unproven):
		return name + " has a name whose address DNSSEC does not prove, and [dns] dnssec demands that: write its address into url, or add its name to [hosts]."
	case e.unresolved:
		return name + " has a name that does not resolve; see [dns] upstreams, or write its address into url."
	case e.cause == rules.ParentAuth && e.parent.Login == (rules.Login{}):
		return name + " wants a login" + said + ": set auth_file of its [[parent]]."
	case e.cause == rules.ParentAuth:
		return name + " does not accept sallyport's login" + said + ": correct auth_file of its [[parent]]."
	case e.cause == rules.ParentTLS && e.certificate && e.parent.Certificate == nil:
		return name + " wants a client certificate: set cert and key of its [[parent]]."
	case e.cause == rules.ParentTLS && e.certificate:
		return name + " does not accept sallyport's client certificate: correct cert and key of its [[parent]]."
	case e.cause == rules.ParentTLS:
		return name + " makes no TLS connection that sallyport trusts: see the log; correct ca, cert and key of its [[parent]], or the proxy's certificate."
	case e.cause == rules.ParentTimedOut && said != "":
		return name + " reports that the destination does not answer in time" + said + "."
	case e.cause == rules.ParentTimedOut:
		return name + " did not answer in time: it is overloaded, or a firewall is between."
	case e.unanswered:
		return name + " reported a connection, which ended before the destination answered the ClientHello: ask its operator whether it lets this destination through. sallyport permits the destination."
	case e.cause == rules.ParentReply && e.unsure:
		return name + " ended the connection before it answered. The destination may have carried out the request: check that before you send it again."
	case e.cause == rules.ParentReply:
		return name + " does not answer as a proxy does: check protocol and port in url of its [[parent]]."
	case e.cause == rules.ParentRefused && e.elsewhere:
		return name + " could not reach the destination" + said + "."
	case e.cause == rules.ParentRefused:
		return name + " refuses the destination" + said + ": ask its operator to permit it. sallyport permits it."
	}
	return "There is no connection to the parent proxy " + e.parent.Name + ": it is down, or a firewall is between."
}
