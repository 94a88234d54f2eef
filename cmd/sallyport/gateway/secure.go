// Secure: what is shown about the listener for TLS: how long its files are good, handshakes, and
// clients' certificates.

package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/denials/page"
	"sallyport/proxy/proof"
	"sallyport/rules/site"
)

// describeSecure describes the files of [listen] https in one line; "" without https.
func describeSecure(cfg *site.Config) string {
	var parts []string
	for _, d := range cfg.Secure.Dated() {
		parts = append(parts, d.Key+" until "+d.Until.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if len(parts) == 1 {
		parts = append(parts, "clients are not asked for certificates")
	}
	return strings.Join(parts, ", ")
}

// secureEnded returns an error for each file of [listen] https because of which clients are refused:
// the server's certificate and revocation lists that have ended, have not begun or are missing.
func secureEnded(cfg *site.Config, now time.Time) (errs []error) {
	for _, f := range cfg.Secure.Findings(now) {
		if f.Refuses && f.Key != "client_ca" { // of authorities, some may expire while others go on
			errs = append(errs, errors.New("https: [listen] "+f.Key+": "+f.Text))
		}
	}
	return errs
}

// secureSoon returns what an operator should know about the files of [listen] https before it refuses
// clients, or although it refuses only some.
func secureSoon(cfg *site.Config, now time.Time) (texts []string) {
	for _, f := range cfg.Secure.Findings(now) {
		if !f.Refuses || f.Key == "client_ca" {
			texts = append(texts, f.Key+": "+f.Text)
		}
	}
	return texts
}

// warnEnded writes a line to the log when a file of [listen] https ends while it is in force. mu must
// be held.
func (g *Gateway) warnEnded(now time.Time) {
	var texts []string
	for _, err := range secureEnded(g.cfg, now) {
		texts = append(texts, err.Error())
	}
	text := strings.Join(texts, "; ")
	if text != "" && text != g.ended {
		g.log.Warn(text)
	}
	g.ended = text
}

// secureHealth returns the state of the listener for TLS.
func (g *Gateway) secureHealth(cfg *site.Config) []page.Health {
	text := describeSecure(cfg)
	if text == "" {
		return nil
	}
	p := g.proxy.Stats()
	h := page.Health{Name: "TLS listener", OK: true, Text: fmt.Sprintf("%s; %d handshakes, %d failed", text, p.Handshakes, p.FailedHandshakes)}
	for i, n := range p.Certificates {
		if n > 0 {
			h.Text += fmt.Sprintf(", %d certificates of clients %s", n, strings.ReplaceAll(proof.CertificateResult(i).String(), "_", " "))
		}
	}
	for _, soon := range secureSoon(cfg, g.now()) {
		h.Text = soon + "; " + h.Text
	}
	for _, err := range secureEnded(cfg, g.now()) {
		h.OK, h.Text = false, err.Error()+"; "+h.Text
	}
	return []page.Health{h}
}

// exportSecure sends the numbers of the listener for TLS.
func (g *Gateway) exportSecure(e exporter) {
	p := g.proxy.Stats()
	e.send("sallyport_tls_handshakes_total", float64(p.Handshakes), "ok")
	e.send("sallyport_tls_handshakes_total", float64(p.FailedHandshakes), "failed")
	for i, n := range p.Certificates {
		e.send("sallyport_client_certificates_total", float64(n), proof.CertificateResult(i).String())
	}
	g.mu.Lock()
	cfg := g.cfg
	g.mu.Unlock()
	for _, d := range cfg.Secure.Dated() {
		e.send("sallyport_tls_expiry_timestamp_seconds", float64(d.Until.Unix()), d.Key)
	}
}
