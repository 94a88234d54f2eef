// HTTP, failure: what a client gets and what is recorded if the destination of a permitted request
// gives no valid answer.

package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"

	"sallyport/rules"
)

// failed returns the proxy's answer to a request if the destination did not answer.
func (g *grant) failed(r *http.Request, err error) (*http.Response, error) {
	var b bytes.Buffer
	var denied *deniedError
	var dial *dialError
	json := g.head.WantsJSON()
	switch fault := g.fault.Load(); {
	case fault != nil:
		b.Write(refusal(&g.head, fault.a, fault.d))
	case errors.As(err, &denied):
		g.failure = rules.EndDenied(denied.d.Why())
		b.Write(refusal(&g.head, denied.a, denied.d))
		if f := g.s.from.tunnel(); f != nil && g.s.guard.Heads == 1 {
			f.setDecision(denied.a, denied.d)
		}
	case errors.As(err, &dial):
		g.failure = dial.cause
		writeFailure(&b, dial, g.a, json)
	case timedOut(err):
		g.failure = rules.EndIdle
		g.upstreamPage(&b, http.StatusGatewayTimeout, "timeout", g.whoIsSilent(), json)
	default:
		g.failure = rules.EndNoAnswer
		g.upstreamPage(&b, http.StatusBadGateway, "no valid answer", g.whyNoAnswer(err), json)
	}
	resp, err := http.ReadResponse(bufio.NewReader(&b), r)
	if err == nil {
		resp.Header.Set("Connection", "close") // ReadResponse has used the field up
	}
	return resp, err
}

// whyNoAnswer returns one sentence for people.
func (g *grant) whyNoAnswer(err error) string {
	switch {
	case errors.Is(err, errUpgrade):
		return "The destination switched to another protocol, but the request did not ask for it, or the answer does not prove that the destination speaks WebSocket."
	case g.out.overrun():
		return "The destination sent more than 200 interim responses and no answer."
	case g.up == nil || g.up.heard.Load() || !g.up.broken.Load():
		return "The destination sent something that is no valid answer in HTTP/1."
	}
	text, who := "The destination closed the connection before it answered.", " It"
	if parent := g.up.link.parent; parent != nil {
		text, who = "The parent proxy "+parent.Name+" reported a connection, which ended before the destination answered.", " The destination"
	}
	if !idempotent(g.head.Method) {
		text += who + " may have carried out the request: check that before you send it again."
	}
	return text
}

// whoIsSilent returns one sentence about an answer that did not come in time.
func (g *grant) whoIsSilent() string {
	if g.up != nil && g.up.link.absolute {
		return "The parent proxy " + g.up.link.parent.Name + " accepted the connection and sent no answer within limits.idle; it may wait for the destination."
	}
	return "The destination accepted the connection and sent no answer within limits.idle."
}

func (g *grant) upstreamPage(b *bytes.Buffer, status int, reason, hint string, json bool) {
	page := errorBody{Error: "upstream", Reason: reason, Hint: hint}
	page.Host, page.Port = wanted(g.a)
	writePage(b, status, page, json)
}
